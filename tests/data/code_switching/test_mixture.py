"""Where two parallel sentences may change into each other, and what comes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.data.code_switching.mixture import Mixture, SentencePair, words_of


def a_parallel(
    one: str, other: str, links: set[tuple[int, int]], languages: tuple[str, str] = ("eng", "deu")
) -> SentencePair:
    words = words_of(one, languages[0]), words_of(other, languages[1])
    return SentencePair(languages, words, frozenset(links))


@st.composite
def parallels(draw: st.DrawFn) -> SentencePair:
    lengths = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    place = st.tuples(st.integers(0, lengths[0] - 1), st.integers(0, lengths[1] - 1))
    words = [tuple(f"{side}{n}" for n in range(length)) for side, length in zip("ab", lengths, strict=True)]
    return SentencePair(("eng", "deu"), (words[0], words[1]), draw(st.frozensets(place, max_size=8)))


@st.composite
def blocks(draw: st.DrawFn) -> SentencePair:
    """Links that cross within short blocks, and none between them."""
    lengths, links = [0, 0], set()
    for _ in range(draw(st.integers(2, 5))):
        size = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
        inner = [(i, j) for i in range(size[0]) for j in range(size[1])]
        links |= {(lengths[0] + i, lengths[1] + j) for i, j in draw(st.sets(st.sampled_from(inner), min_size=1))}
        lengths = [lengths[side] + size[side] for side in (0, 1)]
    words = [tuple(f"{side}{n}" for n in range(length)) for side, length in zip("ab", lengths, strict=True)]
    return SentencePair(("eng", "deu"), (words[0], words[1]), frozenset(links))


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    parallel = draw(blocks())
    chosen: list[tuple[int, int]] = []
    for point in draw(st.lists(st.sampled_from(parallel.points), min_size=1, max_size=3)):
        if all((point[0] < i) == (point[1] < j) and point[0] != i and point[1] != j for i, j in chosen):
            chosen.append(point)
    return Mixture(parallel, tuple(sorted(chosen)), draw(st.integers(0, 1)))


@given(parallels())
def test_no_link_crosses_a_place_to_switch_and_words_remain_on_both_sides(parallel: SentencePair) -> None:
    for i, j in parallel.points:
        assert 0 < i < len(parallel.words[0])
        assert 0 < j < len(parallel.words[1])
        assert all((a < i) == (b < j) for a, b in parallel.links)


@given(mixtures())
def test_parts_take_turns_and_cover_both_sentences_in_order(mixture: Mixture) -> None:
    at = [0, 0]
    for number, part in enumerate(mixture.parts):
        assert part.side == (mixture.start + number) % 2
        assert len(part) > 0
        assert part.first == at[part.side]
        ends = (*mixture.points, tuple(len(side) for side in mixture.parallel.words))
        at = list(ends[number])
        assert part.last == at[part.side]
    assert at == [len(side) for side in mixture.parallel.words]


@given(mixtures())
def test_what_is_linked_is_said_exactly_once(mixture: Mixture) -> None:
    said = {(part.side, place) for part in mixture.parts for place in range(part.first, part.last)}
    assert all(((0, a) in said) != ((1, b) in said) for a, b in mixture.parallel.links)


@given(mixtures())
def test_words_text_matrix_and_share_tell_the_same(mixture: Mixture) -> None:
    assert mixture.text == " ".join(word for word, _ in mixture.words)
    counts = {code: sum(language == code for _, language in mixture.words) for code in ("eng", "deu")}
    matrix = mixture.parallel.languages[mixture.matrix]
    embedded = len(mixture.words) - counts[matrix]
    assert counts[matrix] == max(counts.values())
    assert mixture.embedded_share == pytest.approx(embedded / len(mixture.words))
    assert 0 < mixture.embedded_share <= 0.5
    if counts["eng"] == counts["deu"]:
        assert mixture.matrix == mixture.start


def test_a_sentence_changes_its_language_at_its_points() -> None:
    parallel = a_parallel("I see the dog", "ich sehe den hund", {(n, n) for n in range(4)})
    assert parallel.points == ((1, 1), (2, 2), (3, 3))
    mixture = Mixture(parallel, ((1, 1), (3, 3)), 0)
    assert mixture.words == (("i", "eng"), ("sehe", "deu"), ("den", "deu"), ("dog", "eng"))
    assert mixture.text == "i sehe den dog"
    assert (mixture.matrix, mixture.embedded_share) == (0, 0.5)


def test_where_the_orders_differ_there_is_no_place_to_switch() -> None:
    crossed = a_parallel("the white house", "casa blanca la", {(0, 2), (1, 1), (2, 0)}, ("eng", "spa"))
    assert crossed.points == ()


def test_without_links_nothing_says_where_one_may_switch() -> None:
    assert a_parallel("one two", "eins zwei", set()).points == ()


def test_chinese_is_joined_without_spaces_and_keeps_them_beside_other_words() -> None:
    parallel = a_parallel("I drink tea", "我喝茶。", {(0, 0), (1, 1), (2, 2)}, ("eng", "cmn"))
    assert parallel.words[1] == ("我", "喝", "茶")
    assert Mixture(parallel, ((2, 2),), 1).text == "我喝 tea"
    assert Mixture(parallel, ((1, 1),), 0).text == "i 喝茶"
