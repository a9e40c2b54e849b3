"""Long audio and many files through one model: segments that end at pauses, batched by seconds.

Each frame is kept from exactly one segment. Memory does not grow with the length of a file beyond its tokens. What a
segment says does not depend on its batch mates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from speech.audio.io import SAMPLE_RATE
from speech.audio.vad import Vad
from speech.decode.endpoint import EndpointConfig
from speech.decode.frames import Frames
from speech.decode.greedy import TokenSpan, greedy
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcOutput
from speech.stream.segments import Segment, Segmenter


class Decoder(Protocol):
    """Frames to token spans: `greedy`, or a `BeamDecoder`."""

    def __call__(self, frames: Frames, *, forbidden: Collection[int] = ()) -> list[list[TokenSpan]]:
        """Token spans of each utterance; tokens in `forbidden` cannot be said."""


@dataclass(kw_only=True, slots=True)
class OfflineConfig:
    """How audio is cut and batched."""

    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """When a segment ends."""
    context_s: float = 0.5
    """Audio that a segment hears beyond a cut within speech."""
    batch_s: float = 120.0
    """Most padded seconds that are encoded together."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one segment says."""

    spans: list[TokenSpan]
    """Frames count from the beginning of the file."""
    end_s: float
    """Where the segment ends."""


@dataclass(slots=True)
class Reading:
    """What was read off a file so far: tokens and language evidence."""

    parts: list[Part] = field(default_factory=list)
    """In order; a word does not go on from one into the next."""
    language_evidence: Tensor | None = None
    """(languages,) sum of frame log-posteriors."""
    frames: int = 0
    samples: int = 0


class OfflineReader:
    """Reads segments with a model; the same segments give the same text in any batch."""

    def __init__(self, model: OwsmCtc, config: OfflineConfig | None = None, decode: Decoder = greedy) -> None:
        self.model = model
        self.decode = decode
        self.config = config or OfflineConfig()
        self.grid = round(model.frame_s * SAMPLE_RATE)
        self._vad = Vad()

    def segments(self, blocks: Iterable[np.ndarray]) -> Iterator[Segment]:
        """Cut the blocks of a file, holding no more than one segment of audio."""
        segmenter = Segmenter(self._vad, self.config.endpoint, grid=self.grid, context_s=self.config.context_s)
        for block in blocks:
            yield from segmenter.accept(block)
        last = segmenter.finish()
        if last is not None:
            yield last

    def read(self, files: Sequence[Iterable[np.ndarray]], prefixes: Sequence[tuple[int, int]]) -> list[Reading]:
        """Read files together.

        Args:
            files: blocks of samples of each.
            prefixes: ids of language (or `<nolang>`) and task of each.
        """
        readings = [Reading() for _ in files]
        waiting: list[tuple[int, Segment]] = []
        for number, blocks in enumerate(files):
            for segment in self.segments(blocks):
                longest = max([len(segment.samples), *(len(s.samples) for _, s in waiting)])
                if waiting and longest * (len(waiting) + 1) > self.config.batch_s * SAMPLE_RATE:
                    self._read_batch(waiting, prefixes, readings)
                    waiting = []
                waiting.append((number, segment))
        if waiting:
            self._read_batch(waiting, prefixes, readings)
        return readings

    def listen(self, blocks: Iterable[np.ndarray], prefix: tuple[int, int]) -> tuple[Reading, Tensor]:
        """One file without decoding: a reading without tokens, and log-probabilities `(T, vocabulary)`."""
        reading, parts = Reading(), []
        for segment in self.segments(blocks):
            output, frames = self._encode([segment], [prefix])
            first, last = self._span(segment, int(frames.lengths[0]))
            self._keep(segment, [], self._evidence(output, 0), (first, last), reading)
            parts.append(frames.log_probs[0, first:last].cpu())
        return reading, torch.cat(parts)

    @torch.inference_mode()
    def _encode(self, batch: Sequence[Segment], prefixes: Sequence[tuple[int, int]]) -> tuple[OwsmCtcOutput, Frames]:
        model = self.model
        device = model.feature_mean.device
        lengths = torch.tensor([len(segment.samples) for segment in batch], device=device)
        samples = torch.zeros(len(batch), int(lengths.max()), device=device)
        for row, segment in zip(samples, batch, strict=True):
            row[: len(segment.samples)] = torch.from_numpy(segment.samples)
        prefix = torch.tensor(prefixes, device=device)
        output = model(*model.features(samples, lengths), prefix)
        front = prefix.shape[1] if model.config.target_prefix else 0
        return output, Frames(output.log_probs[:, front:], output.lengths - front, model.frame_s, 0.0)

    def _evidence(self, output: OwsmCtcOutput, row: int) -> Tensor | None:
        """Log-posteriors of languages `(T, languages)`."""
        logits = output.language_logits
        return torch.log_softmax(logits[row], dim=-1) if logits is not None else None

    def _span(self, segment: Segment, frames: int) -> tuple[int, int]:
        """The frames that a segment answers for."""
        return segment.keep_start // self.grid, frames if segment.last else segment.keep_end // self.grid

    def _read_batch(
        self, batch: list[tuple[int, Segment]], prefixes: Sequence[tuple[int, int]], readings: list[Reading]
    ) -> None:
        output, frames = self._encode([segment for _, segment in batch], [prefixes[file] for file, _ in batch])
        vocabulary = self.model.vocabulary
        special = [i for i in range(1, len(vocabulary)) if vocabulary.is_special(i)]
        for row, ((file, segment), spans) in enumerate(zip(batch, self.decode(frames, forbidden=special), strict=True)):
            span = self._span(segment, int(frames.lengths[row]))
            self._keep(segment, spans, self._evidence(output, row), span, readings[file])

    def _keep(
        self, segment: Segment, spans: list[TokenSpan], evidence: Tensor | None, kept: tuple[int, int], reading: Reading
    ) -> None:
        first, last = kept
        shift = segment.start // self.grid
        reading.samples = segment.start + segment.keep_end
        said = [
            TokenSpan(span.id, span.start_frame + shift, span.end_frame + shift, span.confidence)
            for span in spans
            if first <= span.start_frame < last  # a token belongs to the segment that holds its first frame
        ]
        reading.parts.append(Part(said, reading.samples / SAMPLE_RATE))
        if evidence is not None:
            total = evidence[first:last].sum(dim=0).cpu()
            reading.language_evidence = (
                total if reading.language_evidence is None else reading.language_evidence + total
            )
        reading.frames += last - first
