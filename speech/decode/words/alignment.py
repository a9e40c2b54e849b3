"""Forced alignment of known tokens: the CTC Viterbi path (Graves et al. 2006, section 4), compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speech.compiled import load
from speech.decode.ctc.greedy import TokenSpan
from speech.errors import SpeechError

KERNELS = "speech.decode.words.alignment_kernels"


@dataclass(frozen=True, slots=True)
class ForcedAlignment:
    """The most probable path that emits exactly the given tokens."""

    spans: list[TokenSpan]
    """One span per token."""
    score: float
    """Log-probability of the path, blanks included."""


def align(log_probs: Tensor, tokens: Sequence[int], blank: int = 0) -> ForcedAlignment:
    """Align tokens to frames.

    Args:
        log_probs: (T, vocabulary)
        tokens: token ids without blanks.
        blank: id of blank.

    Raises:
        SpeechError: if there are too few frames, a token is blank or outside the vocabulary, or every path has
            probability 0.
    """
    labels = np.asarray(tokens, dtype=np.int64)
    frames, vocabulary = log_probs.shape
    _check(frames, vocabulary, labels, blank)
    if len(log_probs) == 0:
        return ForcedAlignment([], 0.0)
    # Copy only the columns of these tokens from the device; from here on, `labels` index these columns.
    said, labels = np.unique(np.concatenate([[blank], labels]), return_inverse=True)
    columns = torch.from_numpy(said).to(log_probs.device)
    scores = log_probs.detach().index_select(1, columns).float().cpu().numpy()
    blank, labels = labels[0], labels[1:]
    # States are blank, token, blank, token, ..., blank: (states,) with states = 2 * tokens + 1.
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    path, score = load(KERNELS).viterbi(scores, states, int(blank))
    if not math.isfinite(score):
        raise SpeechError(
            f"no path through {len(scores)} frames says these {len(labels)} tokens with a probability above 0",
            fix="Check that the text is in the language and script of the model.",
        )
    return ForcedAlignment(_spans(scores, labels, path, said), float(score))


def _check(frames: int, vocabulary: int, labels: np.ndarray, blank: int) -> None:
    wrong = labels[(labels < 0) | (labels >= vocabulary) | (labels == blank)]
    if len(wrong):
        raise SpeechError(f"token {wrong[0]} cannot be aligned, expected 0 to {vocabulary - 1} without blank ({blank})")
    repeats = int((labels[1:] == labels[:-1]).sum())
    if len(labels) + repeats > frames:
        raise SpeechError(
            f"{frames} frames cannot say {len(labels)} tokens, which need at least {len(labels) + repeats} frames "
            f"({repeats} of them between equal neighbours)",
            fix="Give the audio that belongs to the text.",
        )


def _spans(scores: np.ndarray, labels: np.ndarray, path: np.ndarray, ids: np.ndarray) -> list[TokenSpan]:
    """Spans of tokens that are columns `labels` of `scores`; `ids` are the token ids of all columns."""
    states = 2 * np.arange(len(labels)) + 1
    starts = np.searchsorted(path, states, side="left").tolist()
    ends = np.searchsorted(path, states, side="right").tolist()
    return [
        TokenSpan(int(ids[column]), start, end, math.exp(scores[start:end, column].max()))
        for column, start, end in zip(labels.tolist(), starts, ends, strict=True)
    ]
