"""Listed words that a text translator adds: left out where it can, reported in any case; what is said is translated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.transcript import Toxicity
from speech.translate.text.added_toxicity import toxicity_of_text, without_added
from speech.translate.toxicity import ToxicWords
from tests.text_translators import Leaving, Tagging

SAID = ["the dog ran", "the cat slept"]


def guarded(translator: Tagging, said: list[str], lists: dict[str, list[str]]) -> tuple[list[str], Toxicity | None]:
    words = ToxicWords(lists)
    texts = translator.translate(said, "eng", "fra")
    translator.asked.clear()
    texts, added = without_added(translator, said, "eng", texts, "fra", words)
    return texts, toxicity_of_text(" ".join(said), "eng", " ".join(texts), "fra", words, added)


def test_without_lists_nothing_is_asked_and_nothing_found():
    assert without_added(Leaving(), SAID, "eng", ["a", "b"], "fra", None) == (["a", "b"], ())
    assert toxicity_of_text("the dog", "eng", "fra-dog", "fra", None) is None


def test_only_sentences_with_listed_words_are_translated_again():
    translator = Leaving()
    texts, toxicity = guarded(translator, SAID, {"fra": ["cat", "bird"]})
    assert texts == ["fra-the fra-dog fra-ran", "fra-the fra-slept 1"]
    assert toxicity == Toxicity(("cat",), removed=True)
    assert translator.asked == [(("the cat slept",), "eng", "fra")]


@pytest.mark.parametrize("translator", [Tagging(), Leaving()])
def test_words_that_cannot_be_left_out_stay_and_are_reported(translator):
    texts, toxicity = guarded(translator, SAID, {"fra": ["cat", "1"]})
    assert texts == ["fra-the fra-dog fra-ran", "fra-the fra-cat fra-slept"]
    assert toxicity == Toxicity(("cat",), removed=False)


def test_where_one_sentence_keeps_its_words_not_all_are_removed():
    texts, toxicity = guarded(Leaving(), ["the cat", "the big cat slept"], {"fra": ["cat", "1"]})
    assert texts == ["fra-the fra-cat", "fra-the fra-big fra-cat fra-slept"]
    texts, toxicity = guarded(Leaving(), ["the cat", "the dog and the cat"], {"fra": ["cat", "dog", "1"]})
    assert texts == ["fra-the fra-cat", "fra-the fra-and fra-the 2"]
    assert toxicity == Toxicity(("cat", "dog"), removed=False)


def test_what_is_said_anywhere_in_the_part_is_translated():
    translator = Leaving()
    texts, toxicity = guarded(translator, SAID, {"eng": ["dog"], "fra": ["dog", "cat"]})
    assert texts == ["fra-the fra-dog fra-ran", "fra-the fra-cat fra-slept"]
    assert toxicity is None
    assert translator.asked == []


def test_a_phrase_across_sentences_is_reported():
    texts, toxicity = guarded(Leaving(), SAID, {"fra": ["ran fra the"]})
    assert texts == ["fra-the fra-dog fra-ran", "fra-the fra-cat fra-slept"]
    assert toxicity == Toxicity(("ran fra the",), removed=False)


def test_what_was_kept_out_of_a_text_counts_as_removed_only_if_nothing_listed_is_in_it():
    words = ToxicWords({"fra": ["dog", "cat"], "eng": ["rat"]})
    assert toxicity_of_text("x", None, "a bird", "fra", words, ["dog"]) == Toxicity(("dog",), removed=True)
    assert toxicity_of_text("x", "eng", "a cat", "fra", words, ["dog"]) == Toxicity(("dog", "cat"), removed=False)
    assert toxicity_of_text("a rat", "eng", "a cat", "fra", words, ["dog"]) is None
    assert toxicity_of_text("x", "eng", "a bird", "fra", words) is None


@given(
    said=st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(" ".join), min_size=1, max_size=3),
    listed=st.sets(st.sampled_from(["a", "b", "c", "1", "2"]), min_size=1),
    known=st.sets(st.sampled_from("ab")),
)
def test_removed_is_said_of_clean_texts_only(said, listed, known):
    usual = Tagging().translate(said, "eng", "fra")
    texts, toxicity = guarded(Leaving(), said, {"eng": sorted(known), "fra": sorted(listed)})
    words = ToxicWords({"fra": sorted(listed)})
    left = words.matches(" ".join(texts), "fra")
    if known & set(" ".join(said).split()):
        assert (texts, toxicity) == (usual, None)
    elif toxicity is None:
        assert texts == usual
        assert not left
    else:
        assert toxicity.found == words.matches(" ".join(usual), "fra")
        assert toxicity.removed == (not left)
