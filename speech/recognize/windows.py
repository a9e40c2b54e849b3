"""Windows of one length with context at both sides, wherever people pause: OWSM-CTC's published way to read long audio.

Each frame is kept from the window in whose middle it lies, so none is at an edge of what a window hears.
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
    """Lengths of windows."""

    size_s: float = 30.0
    """Seconds that a window hears, context included."""
    context_s: float = 2.0
    """Seconds at each side that it hears and does not answer for."""
    padded: bool = False
    """Fill the first and the last window with zeros to the full size, as the published models were trained."""

    def samples(self, grid: int) -> tuple[int, int]:
        """Samples of the middle and of the context, which must be whole frames of `grid` samples.

        Raises:
            ConfigError: if they are not, or nothing is left between the contexts.
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
    """What is heard at once."""

    samples: np.ndarray
    """(n,) float32 at 16 kHz."""
    start: int
    """Of the file, where they begin; negative where zeros stand before it."""
    first: int
    """Frame of the window from which on it answers."""
    count: int
    """Frames that it answers for; those of all windows of a file follow one another."""
    end_sample: int
    """Of the file, after the last that it answers for."""


def windows(blocks: Iterable[np.ndarray], config: WindowConfig, grid: int) -> Iterator[Window]:
    """Cut the blocks `(n,)` of a file, holding no more than one window and one block; nothing gives no window."""
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
"""Log-mel frames at each end of what is heard at once that see something else than the audio beyond it: those of 400
samples or 512, 160 apart."""


class SharedConvolutions:
    """Encoder frames of the convolutions, window by window: what two windows share is computed once.

    A window's frames are those of the whole file, except for the first and the last of the file.

    Args:
        model: whose convolutions.
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
        """`(1, n, dim)`; windows are given in their order."""
        start, kept = window.start // self._unit, None
        if self._frames is not None:
            kept = self._frames[:, start - self._start : self._frames.shape[1] - self._edge]
        if kept is None or kept.shape[1] <= self._edge:
            found = self._compute(window.samples)
        else:  # from a little before the first that is not known, because its beginning would be missed
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
    """Add what a window says to the spans of those before it, which have `done` frames; a token that goes on across the
    seam is said once."""
    for span in found:
        shifted = TokenSpan(span.id, span.start_frame + done, span.end_frame + done, span.confidence)
        if spans and span.start_frame == 0 and spans[-1].id == span.id and spans[-1].end_frame == done:
            before = spans.pop()
            confidence = max(before.confidence, span.confidence)
            shifted = TokenSpan(span.id, before.start_frame, shifted.end_frame, confidence)
        spans.append(shifted)
