"""Whole numbers by num2words."""

import pytest

from speech.errors import LanguageError
from speech.tts.text_front_end.number_words import code_of, in_words


def test_languages_have_their_own_words():
    assert in_words(21, "deu") == "einundzwanzig"
    assert in_words(16, "por") == "dezesseis"
    assert in_words(3, "nob") == "tre"


def test_languages_are_known_by_the_librarys_names():
    assert code_of("kaz") == "kz"
    assert code_of("swa") is None


def test_unknown_languages_and_numbers_are_refused_by_name():
    with pytest.raises(LanguageError, match="5: numbers cannot be said in Swahili"):
        in_words(5, "swa")
    with pytest.raises(LanguageError, match="this number cannot be said in English"):
        in_words(10**400, "eng")
