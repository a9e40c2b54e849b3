"""The verdict on a recording that was listened to at several speeds: is it marked, where, and with which message.

Evidence of a mark is that one of the 256 messages is said again and again: the votes of its bits, which add up where a
mark is and cancel where none is. It is summed over the best four seconds, so that a short mark in a long recording
counts as much as one that fills a short recording. The speed whose evidence is farthest above its threshold, or least
below it, is believed. Thresholds hold for all speeds together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from speech.models.watermark_checkpoint import Threshold
from speech.tts.watermark_listening import STEP_S, MarkLogits
from speech.tts.watermark_message import SIGNS, likely_message

WINDOW_S = 1.0
"""Seconds over which scores of frames are averaged to tell where a mark is."""
_EVIDENCE_S = 4.0
"""Seconds over which evidence is summed."""
_AGREEMENT = 2.0
"""Weight of the bits that agree with the message against presence, where a mark is looked for."""
_MARGIN = 4.0
"""How much better than any other a message has to fit, in logits of bits times seconds."""
_SMOOTH_S = 0.25
_BRIDGED_S, _SHORTEST_S = 0.5, 0.3
"""Gaps in a segment that are bridged, and segments that are dropped."""
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class MarkedSegment:
    """A part of a recording that is marked."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found in a recording."""

    score: float
    """Evidence of a mark, `Finding.evidence`."""
    threshold: float
    """Score from which on a recording of this length counts as marked, at the speed at which the score was found."""
    segments: tuple[MarkedSegment, ...]
    """Where it is marked; empty if it is not."""
    message: int | None
    """The message; None without a mark, or if another one fits nearly as well."""
    speed: float = 1.0
    """About how many times as fast as when it was marked the recording is played, of `SPEEDS`; 1 without a mark."""

    @property
    def marked(self) -> bool:
        """Whether there is a mark."""
        return self.score >= self.threshold


class Finding(NamedTuple):
    """The strongest evidence in a recording."""

    heard: MarkLogits
    """At the speed at which it was found."""
    message: int
    """The message of it."""
    evidence: float
    """Votes for its bits in four seconds, in logits times seconds: up to 192."""

    def frame_scores(self) -> np.ndarray:
        """`(frames,)`: how much each frame speaks for this mark, as a logit: presence, and bits that agree."""
        agreement = self.heard.bits @ SIGNS[self.message] / (SIGNS.shape[1] * self.heard.step * self.heard.frame_s)
        frames = np.repeat(agreement, self.heard.step)[: len(self.heard.presence)]
        return np.asarray(self.heard.presence + _AGREEMENT * frames)


def strongest(heard: Sequence[MarkLogits], threshold: Threshold) -> Finding:
    """The strongest evidence in one recording that was listened to at several speeds, by what is asked at each."""
    return max(findings(heard), key=lambda found: found.evidence - threshold.of(0.0, found.heard.speed))


def findings(heard: Sequence[MarkLogits]) -> list[Finding]:
    """The strongest evidence at each speed."""
    return [_evidence(one) for one in heard]


def _evidence(heard: MarkLogits) -> Finding:
    votes = heard.votes()
    width = min(round(_EVIDENCE_S / STEP_S), len(votes))
    sums = np.concatenate([np.zeros((1, votes.shape[1])), np.cumsum(votes, axis=0, dtype=np.float64)])
    best, message = -np.inf, 0
    for start in range(0, len(sums) - width, _BLOCK):
        last = min(start + _BLOCK, len(sums) - width)
        fits = (sums[start + width : last + width] - sums[start:last]) @ SIGNS.T  # (windows, 256)
        if fits.max() > best:
            best, message = float(fits.max()), int(fits.max(axis=0).argmax())
    return Finding(heard, message, best)


def window_scores(scores: np.ndarray, frame_s: float) -> np.ndarray:
    """Mean of `scores (frames,)` over each window of a second, a tenth of one apart: `(windows,)`, at least one."""
    width, step = round(WINDOW_S / frame_s), max(round(STEP_S / frame_s), 1)
    if len(scores) <= width:
        return np.array([scores.mean()])
    sums = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
    return np.asarray((sums[width:] - sums[:-width])[::step] / width)


def verdict(heard: Sequence[MarkLogits], threshold: Threshold) -> Detection:
    """Decide on a recording that was listened to at several speeds: marked or not, where, with which message."""
    found = strongest(heard, threshold)
    least = threshold.of(found.heard.duration_s, found.heard.speed)
    if found.evidence < least:
        return Detection(found.evidence, least, (), None)
    frame_s, step = found.heard.frame_s, found.heard.step
    runs = marked_runs(found.frame_scores(), frame_s, threshold.logit)
    inside = np.zeros(len(found.heard.bits), bool)
    for start, end in runs:
        inside[start // step : -(-end // step)] = True
    message = likely_message(found.heard.votes()[inside].sum(axis=0), _MARGIN)
    played_s = frame_s / found.heard.speed
    segments = tuple(MarkedSegment(round(start * played_s, 2), round(end * played_s, 2)) for start, end in runs)
    return Detection(found.evidence, least, segments, message, found.heard.speed)


def marked_runs(scores: np.ndarray, frame_s: float, threshold: float) -> list[tuple[int, int]]:
    """Runs of marked frames, (first, last + 1), of a recording in which there is a mark; at least one."""
    width = min(round(_SMOOTH_S / frame_s), len(scores))
    smooth = np.convolve(scores, np.ones(width), "same") / np.convolve(np.ones(len(scores)), np.ones(width), "same")
    joined: list[tuple[int, int]] = []
    for start, end in _runs(smooth > min(threshold, 0.0)):
        if joined and start - joined[-1][1] < _BRIDGED_S / frame_s:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    long = [(start, end) for start, end in joined if end - start >= _SHORTEST_S / frame_s]
    return long or [max(joined, key=lambda run: run[1] - run[0], default=(0, len(scores)))]


def _runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
