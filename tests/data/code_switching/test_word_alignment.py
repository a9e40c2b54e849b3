"""Which words of parallel sentences mean each other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.data.code_switching.word_alignment import Links, TranslationTable

NOUNS = {"dog": "hund", "cat": "katze", "man": "mann", "house": "haus", "tree": "baum", "ball": "ball"}
ARTICLES = {"the": "der", "a": "ein", "my": "mein", "no": "kein"}
VERBS = {"sees": "sieht", "wants": "will", "finds": "findet", "takes": "nimmt"}


def toy(count: int = 60) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """English, and German whose verb comes last, as it does behind "weil": links cross."""
    rng = random.Random(1)
    pairs = []
    for _ in range(count):
        one, other = rng.sample(sorted(NOUNS), 2)
        verb, (first, second) = rng.choice(sorted(VERBS)), rng.sample(sorted(ARTICLES), 2)
        german = (ARTICLES[first], NOUNS[one], ARTICLES[second], NOUNS[other], VERBS[verb])
        pairs.append(((first, one, verb, second, other), german))
    return pairs


@pytest.fixture(scope="module")
def lexicon() -> TranslationTable:
    return TranslationTable.fit(toy())


def turned(links: Links) -> Links:
    return frozenset((b, a) for a, b in links)


def test_words_are_linked_as_a_reader_would_link_them_also_where_the_order_differs(lexicon: TranslationTable) -> None:
    links = lexicon.links("the dog sees a ball".split(), "der hund ein ball sieht".split())
    assert links == {(0, 0), (1, 1), (2, 4), (3, 2), (4, 3)}


def test_a_word_that_the_other_sentence_leaves_out_is_not_linked_in_place_of_its_neighbour(
    lexicon: TranslationTable,
) -> None:
    links = lexicon.links("the dog sees the ball".split(), "der hund ball".split())
    assert {(1, 1), (4, 2)} <= links
    assert (2, 2) not in links


def test_the_languages_of_a_pair_may_be_exchanged(lexicon: TranslationTable) -> None:
    swapped = TranslationTable.fit([(other, one) for one, other in toy()])
    for one, other in toy(20):
        assert swapped.links(other, one) == turned(lexicon.links(one, other))


def test_the_same_sentences_give_the_same_lexicon(lexicon: TranslationTable) -> None:
    assert TranslationTable.fit(toy()) == lexicon


def test_sentences_without_words_have_no_links_and_teach_nothing(lexicon: TranslationTable) -> None:
    assert lexicon.links([], ["hund"]) == lexicon.links(["dog"], []) == lexicon.links([], []) == frozenset()
    assert TranslationTable.fit([*toy(), ((), ("hund",)), (("dog",), ())]) == lexicon


@given(
    st.lists(st.sampled_from([*NOUNS, *VERBS, "new"]), max_size=8),
    st.lists(st.sampled_from([*NOUNS.values(), *VERBS.values(), "neu"]), max_size=8),
)
def test_links_are_places_of_both_sentences(one: list[str], other: list[str]) -> None:
    links = TranslationTable.fit(toy(12), iterations=2).links(one, other)
    assert all(0 <= i < len(one) and 0 <= j < len(other) for i, j in links)
