"""Transcribes long audio and many files: cuts parts at pauses and batches them by padded seconds.

Each frame is kept from exactly one part. Memory does not grow with the length of a file, except for its tokens. The
result of a part does not depend on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.audio.vad import Vad
from speech.audio.vad import segment as voiced
from speech.choices import Cut as Cut
from speech.decode.endpoint import EndpointConfig
from speech.recognize.adapter_tokens import Extension
from speech.recognize.context import Context
from speech.recognize.full_context import FullContextPass
from speech.recognize.kept import kept
from speech.recognize.label_only import without_ctc
from speech.recognize.part_reader import PartReader
from speech.recognize.parts import Part, PartCutter
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.windows import WindowConfig, windows


@dataclass(kw_only=True, slots=True)
class OfflineConfig:
    """Cutting and batching options."""

    cut: Cut = Cut.pauses
    """Cut at pauses or into windows; `window` applies to windows, all other options to pauses."""
    window: WindowConfig = field(default_factory=WindowConfig)
    """Window lengths."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """When a part ends."""
    context_s: float = 0.5
    """Seconds of audio beyond a cut within speech that a part includes as context."""
    batch_s: float = 120.0
    """Maximum padded seconds per batch."""
    alone: bool = False
    """Encode each part by itself on a GPU too, as on a CPU: slower, but results are independent of batching."""


class OfflineReader:
    """Reads whole files; live sessions use the same cutting and reading.

    Raises:
        ConfigError: if windows are requested of a model without CTC.
    """

    def __init__(self, second_pass: PartReader, config: OfflineConfig | None = None) -> None:
        self.second_pass = second_pass
        self.config = config or OfflineConfig()
        self._vad = Vad()
        if self.config.cut == Cut.windows:
            by_ctc(second_pass, "windows")

    def parts(self, blocks: Iterable[np.ndarray]) -> Iterator[Part]:
        """Cut the blocks of a file into parts, holding at most one part of audio in memory."""
        config = self.config
        rules = config.endpoint.within(self.second_pass.longest_s)
        cutter = PartCutter(self._vad, rules, grid=self.second_pass.grid, context_s=config.context_s)
        for block in blocks:
            yield from cutter.accept(block)
        last = cutter.finish()
        if last is not None:
            yield last

    def read(self, files: Sequence[Iterable[np.ndarray]], request: Request) -> list[list[PartResult]]:
        """Return the results of each file's parts; files are iterables of sample blocks."""
        if self.config.cut == Cut.windows:
            return [[self._read_windows(blocks, request)] for blocks in files]
        found: list[list[PartResult]] = [[] for _ in files]
        before: list[Context | None] = [None for _ in files]
        waiting: list[tuple[int, Part]] = []
        for number, blocks in enumerate(files):
            for part in self.parts(blocks):
                longest = max([len(part.samples), *(len(s.samples) for _, s in waiting)])
                full = longest * (len(waiting) + 1) > self.config.batch_s * SAMPLE_RATE
                # Context requires the result of the previous part.
                follows = waiting and waiting[-1][0] == number and self.second_pass.context_tokens > 0
                if waiting and (full or follows):
                    self._read_batch(waiting, request, found, before)
                    waiting = []
                waiting.append((number, part))
        if waiting:
            self._read_batch(waiting, request, found, before)
        return found

    def _read_windows(self, blocks: Iterable[np.ndarray], request: Request) -> PartResult:
        second_pass = by_ctc(self.second_pass, "windows")
        return second_pass.read_windows(windows(blocks, self.config.window, second_pass.grid), request)

    def _read_batch(
        self,
        batch: list[tuple[int, Part]],
        request: Request,
        found: list[list[PartResult]],
        before: list[Context | None],
    ) -> None:
        """Read a batch: append the results to `found` and store each file's next context in `before`."""
        parts = [replace(part, before=before[file]) for file, part in batch]
        heard = self.second_pass.read(parts, [request] * len(parts))
        for (file, _), part, said in zip(batch, parts, heard, strict=True):
            found[file].append(said)
            before[file] = self.second_pass.following(part, said)

    def silence(self, samples: np.ndarray, frames: int) -> Tensor:
        """Bool mask `(frames,)` of a file's frames without speech, by the voice detector.

        If the detector finds no speech at all, the mask is all False.

        Args:
            samples: audio of the file `(n,)`.
            frames: number of model frames.
        """
        silent = torch.ones(frames, dtype=torch.bool)
        spans = voiced(samples, self._vad)
        for start_s, end_s in spans:
            first, last = (int(at_s * SAMPLE_RATE) // self.second_pass.grid for at_s in (start_s, end_s))
            silent[first : last + 1] = False
        return silent if spans else torch.zeros_like(silent)

    def listen(
        self, blocks: Iterable[np.ndarray], request: Request, extension: Extension | None = None
    ) -> tuple[list[PartResult], Tensor]:
        """Encode one file without decoding; returns its parts without tokens, and log-probabilities `(T, vocabulary)`.

        Args:
            blocks: blocks of samples.
            request: applies to the whole file.
            extension: adapter tokens to append to the base vocabulary.

        Raises:
            ConfigError: if the model has no CTC.
        """
        parts, log_probs = [], []
        second_pass = by_ctc(self.second_pass, "log-probabilities of frames")
        for part in self.parts(blocks):
            x, evidence = second_pass.encode([part.samples], [request]).select(0)
            first, last = part.span(second_pass.grid, len(x))
            parts.append(kept(part, second_pass.grid, len(x), [], evidence))
            log_probs.append(second_pass.decoder.log_probs(x[first:last], extension).cpu())
        return parts, torch.cat(log_probs)


def by_ctc(reader: PartReader, what: str) -> FullContextPass:
    """Return the reader if it has CTC, which `what` needs.

    Raises:
        ConfigError: if it has no CTC.
    """
    if not isinstance(reader, FullContextPass):
        raise without_ctc(what)
    return reader
