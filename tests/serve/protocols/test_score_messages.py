"""What is said about scores is taken strictly."""

import msgspec
import pytest

from serve.protocols.score_messages import Rate, Reference, ReferenceText, ReferenceWord


def test_a_reference_has_words_with_what_is_known_of_them():
    text = '{"text": "a b", "languages": ["eng"], "words": [{"text": "a", "poi": true}, {"text": "b"}]}'
    found = msgspec.json.decode(text, type=ReferenceText)
    assert found == ReferenceText(
        text="a b", languages=["eng"], words=[ReferenceWord("a", poi=True), ReferenceWord("b")]
    )
    assert msgspec.json.decode('{"text": ""}', type=ReferenceText) == ReferenceText(text="")


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (ReferenceText, '{"txt": "a"}', "txt"),
        (ReferenceText, '{"text": "a", "words": [{"word": "a"}]}', "word"),
        (ReferenceText, '{"text": "a", "languages": "eng"}', "languages"),
        (ReferenceText, msgspec.json.encode({"text": "a", "languages": ["eng"] * 65}).decode(), "64"),
        (Reference, '{"type": "reference", "text": "a", "sentence": -1}', "sentence"),
        (Reference, '{"type": "resume", "text": "a"}', "type"),
        (Rate, '{"errors": 1, "units": 2}', "rate"),
    ],
)
def test_what_is_misspelt_or_out_of_range_is_named(kind, text, said):
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.json.decode(text, type=kind)


def test_a_rate_without_units_is_null():
    assert msgspec.json.encode(Rate(0, 0, None)) == b'{"errors":0,"units":0,"rate":null}'
