"""Phonemes of a sentence by a model: punctuation stays, and each word has its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import LanguageError
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.pronunciation.lexicon import LEXICON, EnglishLexicon, write_lexicon
from speech.tts.text_front_end.normalise import normalise
from tests.pronounced import save_tiny_letter_phonemes, tiny_letter_phonemes


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


@pytest.mark.parametrize("text", ["dead 字", "字", "dead 字, cab", "dead (字)", "dead 字 字"])
def test_spans_lie_within_what_is_said_where_words_have_no_sound(text):
    found = LetterPronouncer(tiny_letter_phonemes())(normalise(text, "eng"), "eng")
    places = [place for span in found.words for place in span]
    assert places == sorted(places)
    assert all(place <= len(found.symbols) for place in places)


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory) -> EnglishLexicon:
    path = tmp_path_factory.mktemp("lexicon") / LEXICON
    write_lexicon(path, {"dead": "dˈɛd", "cab": "kˈæb", "bad": ""})
    return EnglishLexicon(path, "dˈɛkæb")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["abc", "dead", "bad,", "(Cab)", "a.", "“b”"]), min_size=1, max_size=8))
def test_known_english_words_are_said_as_the_lexicon_has_them(lexicon, words):
    model, spoken = tiny_letter_phonemes(), normalise(" ".join(words), "eng")
    found = LetterPronouncer(model, lexicon)(spoken, "eng")
    texts = [word.text for word in spoken.words]
    read = model.pronounce(texts, "eng")
    wanted = [{"dead": "dˈɛd", "cab": "kˈæb"}.get(word.lower(), own) for word, own in zip(texts, read, strict=True)]
    assert [found.symbols[start:end] for start, end in found.words] == wanted
    places = [place for span in found.words for place in span]
    assert places == sorted(places)
    between = [found.symbols[a:b] for a, b in zip([0, *places[1::2]], [*places[::2], len(found.symbols)], strict=True)]
    assert not {*"".join(between)} & {*"".join(wanted)}


def test_other_languages_are_read_by_the_model(lexicon):
    spoken = normalise("dead cab", "deu")
    assert LetterPronouncer(tiny_letter_phonemes(), lexicon)(spoken, "deu") == LetterPronouncer(tiny_letter_phonemes())(
        spoken, "deu"
    )


def test_a_folder_has_a_lexicon_only_if_one_lies_there(tmp_path):
    folder = save_tiny_letter_phonemes(tmp_path / "p")
    model = tiny_letter_phonemes()
    assert LetterPronouncer.load(folder).words(["dead"], "eng") == model.pronounce(["dead"], "eng")
    write_lexicon(folder / LEXICON, {"dead": "sˈeː"})
    assert LetterPronouncer.load(folder).words(["dead"], "eng") == ["sˈeː"]
