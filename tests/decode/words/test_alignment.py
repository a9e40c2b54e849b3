"""The best path against torchaudio and against every path."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.functional import forced_align

from speech.decode.words.alignment import align
from speech.errors import SpeechError


def random_log_probs(frames: int, vocabulary: int, seed: int) -> torch.Tensor:
    return torch.randn(frames, vocabulary, generator=torch.Generator().manual_seed(seed)).mul(2).log_softmax(-1)


def collapse(path: tuple[int, ...], blank: int) -> list[int]:
    return [token for token, _ in itertools.groupby(path) if token != blank]


def frame_labels(alignment, frames: int, blank: int) -> list[int]:
    labels = [blank] * frames
    for span in alignment.spans:
        labels[span.start_frame : span.end_frame] = [span.id] * (span.end_frame - span.start_frame)
    return labels


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(0, 20), st.integers(0, 10_000))
def test_the_path_equals_that_of_torchaudio(tokens, spare, seed):
    frames = len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens)) + spare
    log_probs = random_log_probs(frames, 6, seed)
    labels, scores = forced_align(log_probs[None], torch.tensor([tokens], dtype=torch.int32), blank=0)
    found = align(log_probs, tokens)
    assert frame_labels(found, frames, 0) == labels[0].tolist()
    assert found.score == pytest.approx(float(scores.sum()), abs=1e-3)
    assert [span.id for span in found.spans] == tokens


@settings(deadline=None)
@given(st.lists(st.integers(0, 1), max_size=3), st.integers(1, 5), st.integers(0, 10_000))
def test_no_path_is_better(tokens, frames, seed):
    blank = 2
    log_probs = random_log_probs(frames, 3, seed)
    paths = [p for p in itertools.product(range(3), repeat=frames) if collapse(p, blank) == tokens]
    if not paths:
        with pytest.raises(SpeechError, match=f"{frames} frames cannot say {len(tokens)} tokens"):
            align(log_probs, tokens, blank)
        return
    best = max(sum(float(log_probs[t, c]) for t, c in enumerate(path)) for path in paths)
    found = align(log_probs, tokens, blank)
    assert found.score == pytest.approx(best, abs=1e-5)
    for span in found.spans:
        peak = log_probs[span.start_frame : span.end_frame, span.id].max().exp()
        assert span.confidence == pytest.approx(float(peak), abs=1e-5)


def test_equal_neighbours_need_a_frame_between_them():
    with pytest.raises(SpeechError, match="3 frames cannot say 3 tokens, which need at least 4 frames"):
        align(random_log_probs(3, 4, 0), [1, 1, 2])


@pytest.mark.parametrize("token", [0, 4, -1])
def test_blank_and_unknown_tokens_are_refused(token):
    with pytest.raises(SpeechError, match=f"token {token} cannot be aligned"):
        align(random_log_probs(3, 4, 0), [1, token])


def test_nothing_said_is_all_blank():
    log_probs = random_log_probs(3, 4, 0)
    found = align(log_probs, [])
    assert found.spans == []
    assert found.score == pytest.approx(float(log_probs[:, 0].sum()), abs=1e-5)
    assert align(log_probs[:0], []).score == 0.0


def test_a_token_of_probability_zero_is_an_error():
    log_probs = random_log_probs(3, 4, 0)
    log_probs[:, 2] = -torch.inf
    with pytest.raises(SpeechError, match="no path through 3 frames"):
        align(log_probs, [2])
