"""Watermarks of speech: embed a mark with a message, and find marks, where they are, and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch

from speech.choices import EMBEDDED_WATERMARK
from speech.errors import AudioError
from speech.models.hub import locate
from speech.models.watermark import Watermark
from speech.models.watermark_checkpoint import WatermarkCheckpoint, load_watermark_checkpoint, load_watermark_config
from speech.nn.watermark.generator import GeneratorState
from speech.tts.watermark_listening import SPEEDS, MarkListener, MarkLogits
from speech.tts.watermark_message import encode_message
from speech.tts.watermark_verdict import Detection, verdict

BESIDE = "watermark"
"""Folder in that of a voice model, with a watermark for all that the model says."""
LEAST_S = 0.5
"""Seconds below which audio is too short to be listened to."""
_BLOCK_S = 10.0
_LOWEST_RATE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkChoice:
    """Which watermark speech gets."""

    model: str = ""
    """A name that `speech.models.hub.locate` knows; empty: the folder `watermark` in that of the voice model, or else
    that of the package, if it has the rate of the voice."""
    message: int = 0
    """0 .. 255."""
    on: bool = True
    """Whether there is one at all."""

    def __post_init__(self) -> None:
        encode_message(self.message)

    def located(self, voice_model: Path, rate: int) -> Path | None:
        """The directory of the watermark; None if speech gets none.

        Args:
            voice_model: directory of the model that speaks.
            rate: its sample rate in Hz; that of the package marks speech of its own rate only.

        Raises:
            ModelError: if there is no such watermark.
        """
        if not self.on:
            return None
        if self.model:
            return locate(self.model)
        beside = voice_model / BESIDE
        if beside.is_dir():
            return beside
        shipped = locate(EMBEDDED_WATERMARK)
        return shipped if load_watermark_config(shipped).sample_rate == rate else None


class MarkingStream:
    """Marks one stream of speech; as many samples come out as go in, at their places.

    Args:
        model: its generator marks.
        message: 0 .. 255.

    Raises:
        ConfigError: if the message is another.
    """

    def __init__(self, model: Watermark, message: int) -> None:
        self._generator, self._device = model.generator, model.device
        self._block = round(_BLOCK_S * model.sample_rate)
        self._ending = np.zeros(self._generator.delay + model.config.hop, np.float32)
        self._state = self._generator.begin(torch.tensor([encode_message(message)], device=model.device))
        self._pushed, self._made, self._given = 0, -self._generator.delay, 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take `samples (n,)`; return what is ready, float32: all but the last `generator.delay` and up to a frame."""
        found = [np.zeros(0, np.float32)]
        for start in range(0, len(samples), self._block):
            piece = samples[start : start + self._block]
            self._pushed += len(piece)
            made, self._state = self._step(piece)
            found.append(self._fresh(made))
            self._made += len(made)
        return np.concatenate(found)

    def settle(self) -> np.ndarray:
        """What is left, as if the stream ended; more may be pushed, and the mark goes on."""
        made, _ = self._step(self._ending)
        return self._fresh(made)

    def _step(self, samples: np.ndarray) -> tuple[np.ndarray, GeneratorState]:
        row = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None].to(self._device)
        with torch.inference_mode():
            made, state = self._generator.step(row, self._state)
        return made[0].cpu().numpy(), state

    def _fresh(self, made: np.ndarray) -> np.ndarray:
        """Of marked samples from place `_made` on those that have not been given, up to what was pushed."""
        first, last = self._given - self._made, self._pushed - self._made
        fresh = made[first : max(first, last)]
        self._given += len(fresh)
        return fresh


class Watermarker:
    """Embeds and finds marks.

    Args:
        checkpoint: the networks and their threshold.
    """

    def __init__(self, checkpoint: WatermarkCheckpoint) -> None:
        self.model: Watermark = checkpoint.model.eval()
        self.threshold = checkpoint.threshold

    @classmethod
    def from_pretrained(cls, name: str) -> Watermarker:
        """Load a checkpoint of kind `watermark`: a directory or a hub id.

        Raises:
            ModelError: if there is none, or it is of another kind.
        """
        return cls(load_watermark_checkpoint(locate(name)))

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz of streams."""
        return self.model.sample_rate

    def embed(self, samples: np.ndarray, rate: int, message: int = 0) -> np.ndarray:
        """Marked `samples (n,)` float32 of as many at any rate; what the networks' rate cannot carry is not changed.

        Raises:
            ConfigError: if the message is not 0 .. 255.
            AudioError: if the samples are too short, of another shape, or not finite.
        """
        samples = _checked(samples, rate)
        own = _at_rate(samples, rate, self.sample_rate)
        block = round(_BLOCK_S * self.sample_rate)
        pieces = (own[start : start + block] for start in range(0, len(own), block))
        marked = np.concatenate(list(self.embed_stream(pieces, message)))
        if rate == self.sample_rate:
            return marked
        change = _at_rate(marked - own, self.sample_rate, rate)[: len(samples)]
        return samples + np.pad(change, (0, len(samples) - len(change)))

    def embed_stream(self, pieces: Iterable[np.ndarray], message: int = 0) -> Iterator[np.ndarray]:
        """Yield the marked samples of a stream `sample_rate` Hz, for each of `pieces (n,)` what is ready, and the rest.

        Together they are as long as the pieces; what is ready is up to `generator.delay` + a frame behind.

        Raises:
            ConfigError: if the message is not 0 .. 255.
        """
        stream = self.open(message)
        for piece in pieces:
            yield stream.push(piece)
        yield stream.settle()

    def open(self, message: int = 0) -> MarkingStream:
        """A stream of speech that is marked while it is pushed.

        Raises:
            ConfigError: if the message is not 0 .. 255.
        """
        return MarkingStream(self.model, message)

    def detect(self, samples: np.ndarray, rate: int) -> Detection:
        """Look for a mark in `samples (n,)` at any rate.

        Raises:
            AudioError: if the samples are too short, of another shape, or not finite.
        """
        return self.detect_stream([_at_rate(_checked(samples, rate), rate, self.sample_rate)])

    def detect_stream(self, pieces: Iterable[np.ndarray]) -> Detection:
        """Look for a mark in a recording at `sample_rate` Hz that comes as `pieces (n,)`.

        Of each second some 6 kB are kept, at frames of 10 ms.

        Raises:
            AudioError: if it is too short.
        """
        return verdict(self.listen(pieces), self.threshold)

    def listen(self, pieces: Iterable[np.ndarray], speeds: Sequence[float] = SPEEDS) -> list[MarkLogits]:
        """What the detector says of a recording at `sample_rate` Hz at each of `speeds`.

        Raises:
            AudioError: if it is too short.
        """
        listeners, count = [MarkListener(self.model, speed) for speed in speeds], 0
        for piece in self._blocks(pieces):
            count += len(piece)
            for listener in listeners:
                listener.push(piece)
        if count < LEAST_S * self.sample_rate:
            raise AudioError(f"has {count / self.sample_rate:.2f} s, expected {LEAST_S:g} s or more")
        return [listener.finish() for listener in listeners]

    def _blocks(self, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        block = round(_BLOCK_S * self.sample_rate)
        for piece in pieces:
            for start in range(0, len(piece), block):
                yield np.ascontiguousarray(piece[start : start + block], np.float32)


def _checked(samples: np.ndarray, rate: int) -> np.ndarray:
    if samples.ndim != 1:
        raise AudioError(f"samples have shape {samples.shape}, expected (n,)", fix="Mix the channels first.")
    if rate < _LOWEST_RATE:
        raise AudioError(f"rate is {rate} Hz, expected {_LOWEST_RATE} or more")
    if len(samples) < LEAST_S * rate:
        raise AudioError(f"has {len(samples) / rate:.2f} s, expected {LEAST_S:g} s or more")
    if not np.isfinite(samples).all():
        raise AudioError("has samples that are not finite numbers")
    return samples.astype(np.float32, copy=False)


def _at_rate(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    return samples if rate == wanted else np.asarray(soxr.resample(samples, rate, wanted), dtype=np.float32)
