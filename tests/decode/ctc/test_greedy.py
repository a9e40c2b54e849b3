"""Best path decoding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import Runs, collapse, greedy


def frames_of(rows: list[list[int]], lengths: list[int], classes: int = 5) -> CtcFrames:
    log_probs = torch.full((len(rows), max(map(len, rows)), classes), -10.0)
    for number, row in enumerate(rows):
        for frame, token in enumerate(row):
            log_probs[number, frame, token] = -0.1
    return CtcFrames(log_probs, torch.tensor(lengths), 0.04)


def test_repeats_and_blanks_collapse_and_padding_is_ignored():
    found = greedy(frames_of([[0, 2, 2, 0, 2, 3], [1, 1, 4, 4, 4, 4]], [6, 2]))
    assert [[(s.id, s.start_frame, s.end_frame) for s in row] for row in found] == [
        [(2, 1, 3), (2, 4, 5), (3, 5, 6)],
        [(1, 0, 2)],
    ]
    assert found[0][0].confidence == pytest.approx(0.9048, abs=1e-3)


def test_forbidden_tokens_are_never_said():
    log_probs = torch.tensor([[[-2.0, -0.2, -1.0]]])
    assert [s.id for s in greedy(CtcFrames(log_probs, torch.tensor([1]), 0.04), forbidden=[1])[0]] == [2]


def test_an_empty_utterance_says_nothing():
    assert greedy(frames_of([[1, 1]], [0])) == [[]]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_spans_are_the_collapsed_argmax(row):
    spans = greedy(frames_of([row], [len(row)]))[0]
    expected = [t for n, t in enumerate(row) if t != 0 and (n == 0 or row[n - 1] != t)]
    assert [span.id for span in spans] == expected
    for span in spans:
        assert set(row[span.start_frame : span.end_frame]) == {span.id}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0.01, 1.0)), max_size=60),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), max_size=12),
)
def test_frames_that_come_little_by_little_collapse_as_the_whole(frames, steps):
    runs, first, done = Runs(), 0, 0
    for count, further in [*steps, (len(frames), 0)]:
        more = frames[done : done + count]
        runs.extend([token for token, _ in more], [chance for _, chance in more])
        done, first = done + len(more), first + further
        whole = collapse([token for token, _ in frames[:done]], [chance for _, chance in frames[:done]])
        assert len(runs) == done
        assert runs.since(first) == [span for span in whole if span.start_frame >= first]


def test_what_has_been_forgotten_takes_nothing():
    runs = Runs()
    for start in range(0, 100_000, 10):
        runs.extend([start % 7, 0] * 5, [0.5] * 10)
        runs.forget(start - 100)
    assert len(runs._said) < 100
