"""Long audio and many files through one model: windows with context, batched by seconds.

A window is `window_s` of audio with `context_s` more on each side, cut where speech is weakest; each frame is kept
from exactly one window, the one in whose inner part it lies. Memory does not grow with the length of a file beyond
its tokens. What a window says does not depend on its batch mates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from speech.audio.io import SAMPLE_RATE
from speech.decode.frames import Frames
from speech.decode.greedy import TokenSpan, greedy
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcOutput


class Decoder(Protocol):
    """Frames to token spans: `greedy`, or a `BeamDecoder`."""

    def __call__(self, frames: Frames, *, forbidden: Collection[int] = ()) -> list[list[TokenSpan]]:
        """Token spans of each utterance; tokens in `forbidden` cannot be said."""


@dataclass(kw_only=True, slots=True)
class OfflineConfig:
    """How audio is cut and batched."""

    window_s: float = 5.0
    """Longest stretch that one window answers for."""
    context_s: float = 0.5
    """Audio on each side that a window hears besides."""
    search_s: float = 4.0
    """A cut is moved back by up to so much to the quietest place."""
    batch_s: float = 120.0
    """Most padded seconds that are encoded together."""


@dataclass(slots=True)
class Window:
    """A piece of a file; samples `keep_start .. keep_end` of `samples` are answered for."""

    file: int
    start: int
    """First sample of `samples` in the file."""
    samples: np.ndarray
    keep_start: int
    keep_end: int
    last: bool


@dataclass(slots=True)
class Reading:
    """What was read off a file so far: tokens with frames counted from its beginning, and language evidence."""

    spans: list[TokenSpan] = field(default_factory=list)
    language_evidence: Tensor | None = None
    """(languages,) sum of frame log-posteriors."""
    frames: int = 0
    samples: int = 0


def windows(file: int, blocks: Iterable[np.ndarray], config: OfflineConfig, grid: int) -> Iterator[Window]:
    """Cut the blocks of a file into windows, holding only one window of audio.

    Args:
        file: number of the file.
        blocks: float32 samples in order.
        config: lengths.
        grid: samples per output frame; cuts lie on it, so a frame belongs to one window.
    """
    size, context = int(config.window_s * SAMPLE_RATE), int(config.context_s * SAMPLE_RATE) // grid * grid
    search = int(config.search_s * SAMPLE_RATE)
    buffer = np.empty(0, np.float32)
    start = 0  # of `buffer` in the file
    begin = 0  # of what has not been answered for, in `buffer`
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        while len(buffer) - begin > size + context:
            cut = begin + _quietest(buffer[begin : begin + size], search) // grid * grid
            yield Window(file, start, buffer[: cut + context], begin, cut, False)
            drop = max(0, cut - context)
            buffer, start, begin = buffer[drop:], start + drop, cut - drop
    yield Window(file, start, buffer, begin, len(buffer), True)


def _quietest(samples: np.ndarray, search: int) -> int:
    """Where the energy of 100 ms is least within the last `search` samples."""
    span = SAMPLE_RATE // 10
    tail = samples[-search:].astype(np.float64)
    energy = np.convolve(tail**2, np.ones(span), mode="valid")
    return len(samples) - len(tail) + int(energy.argmin()) + span // 2


class OfflineReader:
    """Reads windows with a model; the same windows give the same text in any batch."""

    def __init__(self, model: OwsmCtc, config: OfflineConfig | None = None, decode: Decoder = greedy) -> None:
        self.model = model
        self.decode = decode
        self.config = config or OfflineConfig()
        self.grid = round(model.frame_s * SAMPLE_RATE)

    def read(self, files: Sequence[Iterable[np.ndarray]], prefixes: Sequence[tuple[int, int]]) -> list[Reading]:
        """Read files together.

        Args:
            files: blocks of samples of each.
            prefixes: ids of language (or `<nolang>`) and task of each.
        """
        readings = [Reading() for _ in files]
        waiting: list[Window] = []
        for number, blocks in enumerate(files):
            for window in windows(number, blocks, self.config, self.grid):
                longest = max([len(window.samples), *(len(w.samples) for w in waiting)])
                if waiting and longest * (len(waiting) + 1) > self.config.batch_s * SAMPLE_RATE:
                    self._read_batch(waiting, prefixes, readings)
                    waiting = []
                waiting.append(window)
        if waiting:
            self._read_batch(waiting, prefixes, readings)
        return readings

    def listen(self, blocks: Iterable[np.ndarray], prefix: tuple[int, int]) -> tuple[Reading, Tensor]:
        """One file without decoding: a reading without tokens, and log-probabilities `(T, vocabulary)`."""
        reading, parts = Reading(), []
        for window in windows(0, blocks, self.config, self.grid):
            output, frames = self._encode([window], [prefix])
            first, last = window.keep_start // self.grid, int(frames.lengths[0])
            self._keep(window, [], self._evidence(output, 0, last), last, reading)
            parts.append(frames.log_probs[0, first : last if window.last else window.keep_end // self.grid].cpu())
        return reading, torch.cat(parts)

    @torch.inference_mode()
    def _encode(self, batch: list[Window], prefixes: Sequence[tuple[int, int]]) -> tuple[OwsmCtcOutput, Frames]:
        model = self.model
        device = model.feature_mean.device
        lengths = torch.tensor([len(window.samples) for window in batch], device=device)
        samples = torch.zeros(len(batch), int(lengths.max()), device=device)
        for row, window in zip(samples, batch, strict=True):
            row[: len(window.samples)] = torch.from_numpy(np.ascontiguousarray(window.samples))
        prefix = torch.tensor([prefixes[window.file] for window in batch], device=device)
        output = model(*model.features(samples, lengths), prefix)
        front = prefix.shape[1] if model.config.target_prefix else 0
        return output, Frames(output.log_probs[:, front:], output.lengths - front, model.frame_s, 0.0)

    def _evidence(self, output: OwsmCtcOutput, row: int, end: int) -> Tensor | None:
        """Log-posteriors of languages `(end, languages)`."""
        logits = output.language_logits
        return torch.log_softmax(logits[row, :end], dim=-1) if logits is not None else None

    def _read_batch(self, batch: list[Window], prefixes: Sequence[tuple[int, int]], readings: list[Reading]) -> None:
        output, frames = self._encode(batch, prefixes)
        vocabulary = self.model.vocabulary
        special = [i for i in range(1, len(vocabulary)) if vocabulary.is_special(i)]
        for row, (window, spans) in enumerate(zip(batch, self.decode(frames, forbidden=special), strict=True)):
            end = int(frames.lengths[row])
            self._keep(window, spans, self._evidence(output, row, end), end, readings[window.file])

    def _keep(
        self, window: Window, spans: list[TokenSpan], evidence: Tensor | None, frames: int, reading: Reading
    ) -> None:
        first = window.keep_start // self.grid
        last = frames if window.last else window.keep_end // self.grid
        shift = window.start // self.grid
        for span in spans:
            if first <= span.start_frame < last:  # a token belongs to the window that holds its first frame
                moved = TokenSpan(span.id, span.start_frame + shift, span.end_frame + shift, span.confidence)
                reading.spans.append(moved)
        if evidence is not None:
            total = evidence[first:last].sum(dim=0).cpu()
            reading.language_evidence = (
                total if reading.language_evidence is None else reading.language_evidence + total
            )
        reading.frames += last - first
        reading.samples = window.start + window.keep_end
