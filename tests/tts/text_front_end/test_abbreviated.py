"""Full stops that end no sentence."""

import pytest

from speech.tts.text_front_end.abbreviated import is_abbreviation


@pytest.mark.parametrize(
    ("sentence", "following", "language", "expected"),
    [
        ("I met Dr.", "S", "eng", True),
        ("He is Mr.", "S", "eng", True),
        ("We ate, etc.", "W", "eng", False),
        ("We ate, etc.", "w", "eng", True),
        ("See No.", "5", "eng", True),
        ("Oh no.", "N", "eng", False),
        ("By J.", "S", "eng", True),
        ("z.", "B", "deu", True),
        ("am 3.", "M", "deu", True),
        ("on 3.", "M", "eng", False),
        ("12.", "F", "eng", True),
        ("EE.", "U", "spa", True),
        ("Nie ma dr.", "K", "pol", False),
        ("Zna J.", "K", "pol", True),
        ("I like art.", "5", "eng", False),
    ],
)
def test_abbreviations_are_known_by_language(sentence, following, language, expected):
    assert is_abbreviation(sentence, following, language) is expected
