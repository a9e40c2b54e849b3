import pytest

from speech.errors import ConfigError
from speech.translate.text.directions import Directions, NamedTranslator, within


@pytest.mark.parametrize(
    ("text", "name", "directions"),
    [
        ("models/opus", "models/opus", None),
        ("models/opus=spa:fra", "models/opus", Directions(("spa",), ("fra",))),
        ("owner/model=en, es : French,de", "owner/model", Directions(("eng", "spa"), ("fra", "deu"))),
        ("https://host:8000/v1=eng:fra", "https://host:8000/v1", Directions(("eng",), ("fra",))),
        ("https://host:8000/v1", "https://host:8000/v1", None),
        ("folder=1", "folder=1", None),
        ("a=b:c/model=spa,spa:fra", "a=b:c/model", Directions(("spa",), ("fra",))),
    ],
)
def test_a_name_may_have_languages_behind_it(text, name, directions):
    assert NamedTranslator.parse(text) == NamedTranslator(name, directions)


@pytest.mark.parametrize(("name", "there"), [("HTTP://host/v1", True), ("https://host", True), ("httpd/model", False)])
def test_an_address_is_that_of_an_endpoint(name, there):
    assert NamedTranslator(name, None).is_endpoint is there


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  ", "without a name"),
        ("model=spa:klingonish", "'klingonish' is not a known language"),
        ("model=,:fra", "languages are missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        NamedTranslator.parse(text)


def test_given_languages_have_to_be_known():
    known = Directions(("eng", "fra"), ("eng", "fra"))
    assert within(None, known, "model") == known
    assert within(Directions(("eng",), ("fra",)), known, "model") == Directions(("eng",), ("fra",))
    with pytest.raises(ConfigError, match=r"model: has no token for 'spa'\. It has eng, fra"):
        within(Directions(("spa",), ("fra",)), known, "model")
    with pytest.raises(ConfigError, match="has no token for 'deu'"):
        within(Directions(("eng",), ("deu",)), known, "model")
