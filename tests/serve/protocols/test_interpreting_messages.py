"""What a client may ask of translations that are said."""

import msgspec
import pytest

from serve.protocols.interpreting_messages import Interpreting, TranslationAudio


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"target": 1},
        {"target": "x" * 201},
        {"target": "eng", "rate": 2.0},
        {"target": "eng", "fastest": 0.5},
        {"target": "eng", "patience_ms": 0},
        {"target": "eng", "least_words": 0},
        {"target": "eng", "unknown": 1},
    ],
)
def test_what_is_out_of_bounds_is_refused(wrong):
    assert msgspec.convert({"target": "eng"}, Interpreting).fastest == 1.2
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Interpreting)


def test_samples_are_told_without_themselves():
    message = TranslationAudio(seq=1, target="eng", sample_rate=24_000, start_ms=0, words=[], source=[0, 100])
    record = msgspec.json.decode(msgspec.json.encode(message))
    assert record["type"] == "translation_audio"
    assert {"pcm", "text"}.isdisjoint(record)
