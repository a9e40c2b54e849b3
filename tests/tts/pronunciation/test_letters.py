"""Phonemes of a sentence by a model: punctuation stays, and each word has its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import LanguageError
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.text_front_end.normalise import normalise
from tests.pronounced import tiny_letter_phonemes


class Spelling:
    """A model that says the letters, and nothing of words with an x."""

    vocabulary = tiny_letter_phonemes().vocabulary

    def pronounce(self, words, language):
        assert language == "eng"
        return ["" if "x" in word else word.upper() for word in words]


def said(text: str) -> tuple[str, list[str]]:
    found = LetterPronouncer(Spelling())(normalise(text, "eng"), "eng")  # type: ignore[arg-type]
    return found.symbols, [found.symbols[start:end] for start, end in found.words]


def test_punctuation_stays_between_words():
    assert said("Well, so what? (Go on)!") == ("WELL, SO WHAT? (GO ON)!", ["WELL", "SO", "WHAT", "GO", "ON"])
    assert said("“Yes” — no") == ("“YES” — NO", ["YES", "NO"])


def test_a_word_without_phonemes_has_an_empty_span():
    assert said("one x two, x.") == ("ONE TWO,.", ["ONE", "", "TWO", ""])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["abc", "dead", "bead,", "(cab)", "a.", "“b”"]), min_size=1, max_size=8))
def test_spans_lie_in_order_and_hold_what_the_model_says(words):
    model = tiny_letter_phonemes()
    spoken = normalise(" ".join(words), "eng")
    found = LetterPronouncer(model)(spoken, "eng")
    assert [found.symbols[start:end] for start, end in found.words] == model.pronounce(
        [word.text for word in spoken.words], "eng"
    )
    places = [place for span in found.words for place in span]
    assert places == sorted(places)


def test_it_says_which_languages_and_phonemes_it_knows():
    pronouncer = LetterPronouncer(tiny_letter_phonemes())
    assert pronouncer.languages == {"deu", "eng"}
    assert pronouncer.phonemes == {*"abdeksˈː"}


def test_an_unknown_language_is_named():
    with pytest.raises(LanguageError, match="one of deu, eng"):
        LetterPronouncer(tiny_letter_phonemes())(normalise("a", "fra"), "fra")
