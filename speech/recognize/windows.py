"""Fixed-length windows with context on both sides, independent of pauses: the published long-form method of OWSM-CTC.

Each frame is kept from the window in whose middle it lies, so kept frames are never at a window's edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.decode.ctc.greedy import TokenSpan
from speech.errors import ConfigError
from speech.models.base import CtcModel
from speech.recognize.parts import SampleBuffer


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowConfig:
    """Window lengths."""

    size_s: float = 30.0
    """Window length in seconds, context included."""
    context_s: float = 2.0
    """Context in seconds on each side, whose frames are discarded."""
    padded: bool = False
    """Zero-pad the first and last windows to the full length, as in the training of the published models."""

    def samples(self, grid: int) -> tuple[int, int]:
        """Lengths of the middle and of the context in samples, both whole frames of `grid` samples.

        Raises:
            ConfigError: if they are not whole frames, or the middle is empty.
        """
        size, context = round(self.size_s * SAMPLE_RATE), round(self.context_s * SAMPLE_RATE)
        middle = size - 2 * context
        if middle <= 0 or context < 0 or middle % grid or context % grid:
            raise ConfigError(
                f"windows of {self.size_s} s with {self.context_s} s of context",
                fix=f"Both must be multiples of {grid / SAMPLE_RATE * 1000:.0f} ms, and leave something between.",
            )
        return middle, context


@dataclass(frozen=True, slots=True)
class Window:
    """One window of audio."""

    samples: np.ndarray
    """Audio `(n,)`, float32 at 16 kHz."""
    start: int
    """Position of the samples in the file; negative if the window is padded at the front."""
    first: int
    """First kept frame of the window."""
    count: int
    """Number of kept frames; those of consecutive windows are contiguous."""
    end_sample: int
    """Position in the file after the last kept sample."""


def windows(blocks: Iterable[np.ndarray], config: WindowConfig, grid: int) -> Iterator[Window]:
    """Cut the blocks `(n,)` of a file, holding at most one window and one block; no samples give no window."""
    middle, context = config.samples(grid)
    buffer = SampleBuffer()
    begin = 0
    for block in blocks:
        buffer.append(block)
        while buffer.end >= begin + middle + context:
            yield _window(buffer, begin, middle, context, config.padded, grid)
            begin += middle
            buffer.drop(max(begin - context, 0))
    while begin < buffer.end:
        yield _window(buffer, begin, middle, context, config.padded, grid)
        begin += middle


def _window(buffer: SampleBuffer, begin: int, middle: int, context: int, padded: bool, grid: int) -> Window:
    start, end = max(begin - context, 0), min(begin + middle + context, buffer.end)
    samples = buffer.between(start, end).copy()
    if padded:
        samples = np.pad(samples, (start - (begin - context), begin + middle + context - end))
        start = begin - context
    last = min(begin + middle, buffer.end)
    return Window(samples, start, (begin - start) // grid, round(last / grid) - begin // grid, last)


_REACH = 2
"""Log-mel frames at each end of an input that depend on padding instead of the audio beyond: windows of 400 or 512
samples, hop 160."""


class SharedConvolutions:
    """Convolution output of each window; frames shared by two windows are computed once.

    The frames equal those of the whole file, except for the file's first and last frames.

    Args:
        model: provides the convolutions.
    """

    def __init__(self, model: CtcModel) -> None:
        subsampling = model.subsampling
        self._model = model
        self._unit = model.log_mel.config.hop_length * subsampling.factor
        self._edge = math.ceil((_REACH + subsampling.left) / subsampling.factor)
        self._start = 0
        self._frames: Tensor | None = None

    @torch.inference_mode()
    def frames(self, window: Window) -> Tensor:
        """Encoder input frames `(1, n, dim)`; windows must be given in order."""
        start, kept = window.start // self._unit, None
        if self._frames is not None:
            kept = self._frames[:, start - self._start : self._frames.shape[1] - self._edge]
        if kept is None or kept.shape[1] <= self._edge:
            found = self._compute(window.samples)
        else:  # start before the first missing frame, since edge frames are inexact
            fresh = self._compute(window.samples[(kept.shape[1] - self._edge) * self._unit :])
            found = torch.cat([kept, fresh[:, self._edge :]], dim=1)
        self._start, self._frames = start, found
        return found

    def _compute(self, samples: np.ndarray) -> Tensor:
        device = self._model.device
        x, lengths = self._model.subsample(
            torch.from_numpy(samples)[None].to(device), torch.tensor([len(samples)], device=device)
        )
        return x[:, : max(int(lengths), 1)]


def append_window(spans: list[TokenSpan], found: Sequence[TokenSpan], done: int) -> None:
    """Append a window's spans after `done` earlier frames; a token that spans the seam is merged."""
    for span in found:
        shifted = TokenSpan(span.id, span.start_frame + done, span.end_frame + done, span.confidence)
        if spans and span.start_frame == 0 and spans[-1].id == span.id and spans[-1].end_frame == done:
            before = spans.pop()
            confidence = max(before.confidence, span.confidence)
            shifted = TokenSpan(span.id, before.start_frame, shifted.end_frame, confidence)
        spans.append(shifted)
