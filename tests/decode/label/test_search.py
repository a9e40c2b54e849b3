"""The search with a label decoder against all texts that there are."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.label.banned import BannedSequences
from speech.decode.label.search import LabelSearch, repeats

VOCABULARY, END, TIMESTAMP = 7, 4, 6
"""Tokens 0 to 3, the end, one that is never written, a timestamp."""


class Table:
    """A decoder of random logits for each text; its state is the texts so far."""

    def __init__(self, seed: int, scale: float = 2.0) -> None:
        self.seed, self.scale = seed, scale
        self.asked: list[tuple[int, ...]] = []

    def logits(self, text: tuple[int, ...]) -> torch.Tensor:
        generator = torch.Generator().manual_seed(hash((self.seed, *text)) % 2**31)
        return torch.randn(VOCABULARY, generator=generator) * self.scale

    def begin(self, prompt):
        return self.logits(())[None], [()]

    def step(self, tokens, state):
        state = [(*text, int(token)) for text, token in zip(state, tokens, strict=True)]
        self.asked += state
        return torch.stack([self.logits(text) for text in state]), state

    def select(self, state, rows):
        return [state[row] for row in rows.tolist()]


class Always(Table):
    """What it says does not depend on what it has said."""

    def __init__(self, *logits: float) -> None:
        super().__init__(0)
        self.same = torch.tensor(logits)

    def logits(self, text):
        return self.same


def search(**options) -> LabelSearch:
    given = {"end": END, "first_timestamp": TIMESTAMP, "forbidden": {5}, "forbidden_first": {END}} | options
    return LabelSearch(**given)


def log_probs(table, text, *, forbidden=frozenset({5}), forbidden_first=frozenset({END})):
    logits = table.logits(text)[:TIMESTAMP].double()
    never = forbidden | (frozenset() if text else forbidden_first)
    may = torch.tensor([token not in never for token in range(TIMESTAMP)])
    return logits.masked_fill(~may, -torch.inf).log_softmax(dim=0)


def score(table, tokens, ended, **rules):
    whole = [*tokens, END] if ended else tokens
    return sum(float(log_probs(table, tuple(whole[:n]), **rules)[token]) for n, token in enumerate(whole))


def all_texts(most):
    return [text for length in range(1, most + 1) for text in itertools.product(range(4), repeat=length)]


@given(seed=st.integers(0, 10_000))
def test_a_wide_beam_finds_the_best_of_all_texts_with_their_exact_scores(seed):
    table = Table(seed)
    expected = sorted(((score(table, text, True), text) for text in all_texts(3)), reverse=True)
    found = search(beam=400)(table, [9], 3)
    ended = [one for one in found if one.ended]
    assert [one.tokens for one in ended] == [text for _, text in expected]
    torch.testing.assert_close([one.score for one in ended], [value for value, _ in expected], atol=1e-4, rtol=1e-5)
    assert all(not set(one.tokens) & {END, 5, TIMESTAMP} for one in found)


@given(seed=st.integers(0, 10_000), beam=st.integers(1, 8), most=st.integers(0, 8))
def test_whatever_the_beam_scores_are_exact_and_no_text_comes_twice(seed, beam, most):
    table = Table(seed)
    found = search(beam=beam)(table, [9], most)
    assert 1 <= len(found) <= 2 * beam
    assert len({one.tokens for one in found}) == len(found)
    for one in found:
        assert len(one.tokens) <= most
        assert one.score == pytest.approx(score(table, one.tokens, one.ended), abs=1e-4)
        assert one.ended or len(one.tokens) == most or repeats(one.tokens)
    assert found == sorted(found, key=lambda one: (not one.ended, -one.score))
    assert search(beam=beam)(Table(seed), [9], most) == found


@given(seed=st.integers(0, 10_000))
def test_greedy_takes_the_best_token_each_time(seed):
    table, text = Table(seed), ()
    while len(text) < 6 and int(log_probs(table, text).argmax()) != END:
        text = (*text, int(log_probs(table, text).argmax()))
        if repeats(text):
            break
    found = search(beam=1)(table, [9], 6)
    assert len(found) == 1
    assert found[0].tokens == text
    assert found[0].ended == (not repeats(text) and (len(text) < 6 or int(log_probs(table, text).argmax()) == END))


@given(seed=st.integers(0, 10_000))
def test_greedy_is_in_a_beam_that_leaves_nothing_out(seed):
    greedy = search(beam=1)(Table(seed), [9], 3)[0]
    best = search(beam=400)(Table(seed), [9], 3)[0]
    assert not greedy.ended or best.score >= greedy.score - 1e-5


def test_what_cannot_be_written_takes_no_probability():
    table = Always(0.0, 0.0, 0.0, 0.0, 1.0, 50.0, 90.0)
    found = search(beam=5)(table, [9], 2)
    best = found[0]
    assert best.ended
    assert best.score == pytest.approx(1 - math.log(4) - math.log(4 + math.e), abs=1e-5)
    assert all(set(one.tokens) <= {0, 1, 2, 3} for one in found)


def test_a_text_may_be_empty_unless_the_end_cannot_be_first():
    table = Always(0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0)
    assert search(beam=3, forbidden_first=())(table, [9], 4)[0].tokens == ()
    assert len(search(beam=3)(table, [9], 4)[0].tokens) == 1
    assert search(beam=3, forbidden_first={END, 0, 1, 2})(table, [9], 4)[0].tokens == (3,)
    assert search(beam=3, forbidden_first={END, 0, 1, 2})(table, [9], 4)[0].score == pytest.approx(
        score(table, (3,), True, forbidden_first=frozenset({END, 0, 1, 2})), abs=1e-5
    )


def test_a_text_that_becomes_too_long_has_not_ended_and_is_scored_as_it_is():
    table = Always(1.0, 0.5, 0.0, 0.0, -30.0, 0.0, 0.0)
    for beam in (1, 3):
        table.asked = []
        found = search(beam=beam)(table, [9], 3)
        best = found[0]
        assert (best.tokens, best.ended) == ((0, 0, 0), False)
        assert best.score == pytest.approx(score(table, best.tokens, False), abs=1e-5)
        assert max(map(len, table.asked)) == 3
    assert [(one.tokens, one.score) for one in search(beam=2)(table, [9], 0)] == [((), 0.0)]


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("", False), ("aaaa", False), ("aaaaa", True), ("baaaaa", True), ("abababab", False), ("ababababab", True),
        ("abcabc", False), ("abcabcabc", True), ("xabcabcabc", True), ("abcabcabca", True), ("abcabcabd", False),
        ("abcdefghijklmnopqrstuvwxyz+" * 3, True), ("abcdefghijklmnopqrstuvwxyz+-" * 3, False),
        ("aabaab", False), ("aabaabaab", True), ("aaaaba", False),
    ],
)  # fmt: skip
def test_a_text_repeats_itself_where_a_run_comes_three_times_or_five_if_it_is_short(text, does):
    assert repeats([ord(letter) for letter in text]) == does


def test_a_search_stops_where_a_text_repeats_itself():
    table = Always(9.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    assert search(beam=1)(table, [9], 50)[0].tokens == (0,) * 5
    assert not search(beam=1)(table, [9], 50)[0].ended
    table.asked = []
    found = search(beam=4)(table, [9], 50)
    assert found[0].ended
    assert not any(repeats(one.tokens[:-1]) for one in found)
    assert not any(repeats(text) for text in table.asked)


BANNED = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), min_size=1, max_size=5)


def contains(text, sequence):
    return any(text[at : at + len(sequence)] == tuple(sequence) for at in range(len(text)))


@given(seed=st.integers(0, 10_000), sequences=BANNED)
def test_a_wide_beam_finds_all_texts_without_banned_sequences_with_the_scores_that_they_have_without_a_ban(
    seed, sequences
):
    table = Table(seed)
    texts = [text for text in all_texts(3) if not any(contains(text, sequence) for sequence in sequences)]
    expected = sorted(((score(table, text, True), text) for text in texts), reverse=True)
    found = search(beam=400, banned=BannedSequences(sequences))(table, [9], 3)
    ended = [one for one in found if one.ended]
    assert [one.tokens for one in ended] == [text for _, text in expected]
    torch.testing.assert_close([one.score for one in ended], [value for value, _ in expected], atol=1e-4, rtol=1e-5)
    assert not any(contains(one.tokens, sequence) for one in found for sequence in sequences)


@given(seed=st.integers(0, 10_000), sequences=BANNED, beam=st.integers(1, 8), most=st.integers(0, 8))
def test_whatever_the_beam_no_text_contains_a_banned_sequence(seed, sequences, beam, most):
    table = Table(seed)
    found = search(beam=beam, banned=BannedSequences(sequences))(table, [9], most)
    assert 1 <= len(found) <= 2 * beam
    for one in found:
        assert not any(contains(one.tokens, sequence) for sequence in sequences)
        assert one.score == pytest.approx(score(table, one.tokens, one.ended), abs=1e-4)


@given(seed=st.integers(0, 10_000), beam=st.integers(1, 8), most=st.integers(0, 8))
def test_sequences_that_no_text_of_the_beam_contains_change_nothing(seed, beam, most):
    """The same numbers to the last bit, and the decoder is asked the same."""
    plain, guarded = Table(seed), Table(seed)
    found = search(beam=beam)(plain, [9], most)
    for banned in (BannedSequences([]), BannedSequences([[5], [END, 1], [1, TIMESTAMP], [TIMESTAMP]])):
        guarded.asked = []
        assert search(beam=beam, banned=banned)(guarded, [9], most) == found
        assert guarded.asked == plain.asked


def test_where_everything_is_banned_the_text_is_what_was_written_before():
    found = search(beam=2, banned=BannedSequences([[0], [1], [2], [3]]))(Always(*[0.0] * 7), [9], 5)
    assert [(one.tokens, one.score, one.ended) for one in found] == [((), 0.0, False)]


class Boosts:
    """Phrase scores that make a token more likely than any other."""

    def __init__(self, token):
        self.token = token

    def totals(self, tokens, vocabulary):
        return 20.0 * ((tokens.count(self.token)) + (torch.arange(vocabulary) == self.token).double().numpy())

    def of(self, tokens):
        return 20.0 * tokens.count(self.token)


def test_a_phrase_does_not_bring_back_what_is_banned():
    table = Table(3)
    assert 2 in search(beam=3)(table, [9], 3, Boosts(2))[0].tokens
    found = search(beam=3, banned=BannedSequences([[2]]))(table, [9], 3, Boosts(2))
    assert found
    assert not any(2 in one.tokens for one in found)
