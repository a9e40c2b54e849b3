"""Words in letters and phonemes in numbers, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import LanguageError
from speech.text.letter_vocabulary import BLANK, LetterVocabulary

VOCABULARY = LetterVocabulary.of(["Äpfel", "a\u0301"], ["ˈapfəl", "aː"], ["spa", "deu", "spa"])


def test_it_has_what_occurs_in_lower_case_and_composed():
    assert LetterVocabulary("efláä"[0:2] + "lp" + "áä", "aflpəˈː", ("deu", "spa")) == VOCABULARY
    assert (VOCABULARY.letter_count, VOCABULARY.phoneme_count) == (3 + 6, 1 + 7)


def test_words_lie_between_marks():
    spelled = VOCABULARY.spell(["fl", "Ä"])
    assert spelled.spans == [(0, 4), (4, 7)]
    assert spelled.letters == [1, 4, 5, 2, 1, 8, 2]


def test_unknown_letters_lose_their_accents_or_are_left_out():
    same = VOCABULARY.spell(["ê", "e"]).letters
    assert same[:3] == same[3:]
    assert VOCABULARY.spell(["жx"]).letters == [1, 2]


@given(st.text(alphabet=VOCABULARY.phonemes, max_size=20))
def test_phonemes_come_back(phonemes):
    numbers = VOCABULARY.numbers(phonemes)
    assert BLANK not in numbers
    assert VOCABULARY.written(numbers) == phonemes


def test_an_unknown_language_is_named():
    assert [VOCABULARY.language(code) for code in ("deu", "spa")] == [0, 1]
    with pytest.raises(LanguageError, match=r"'fra'.*one of deu, spa"):
        VOCABULARY.language("fra")
