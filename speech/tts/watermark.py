"""Watermarks of speech: embed a mark with a message, and find marks, where they are, and what they say.

A mark has 16 bits: 4 of the version of its layout, 8 that are free, and a checksum of 4 (CRC-4-ITU).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
import torch
from torch import Tensor

from speech.choices import EMBEDDED_WATERMARK
from speech.errors import AudioError, ConfigError
from speech.models.hub import locate
from speech.models.watermark import Watermark
from speech.models.watermark_checkpoint import (
    Threshold,
    WatermarkCheckpoint,
    load_watermark_checkpoint,
    load_watermark_config,
)
from speech.nn.watermark.detector import Detected, DetectorState
from speech.nn.watermark.generator import GeneratorState

MESSAGES = 256
"""Messages are 0 .. 255."""
BESIDE = "watermark"
"""Folder in that of a voice model, with a watermark for all that the model says."""
VERSION = 1
"""Layout of the bits."""
WINDOW_S = 1.0
"""Seconds over which presence is averaged for a verdict."""
LEAST_S = 0.5
"""Seconds below which audio is too short to be listened to."""
_STEP_S, _SMOOTH_S = 0.1, 0.25
_BRIDGED_S, _SHORTEST_S = 0.5, 0.3
"""Gaps in a segment that are bridged, and segments that are dropped."""
_BLOCK_S = 10.0
_CRC = 0b10011
"""x^4 + x + 1."""
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


def encode_message(message: int) -> list[int]:
    """The 16 bits of a message.

    Raises:
        ConfigError: if it is not 0 .. 255.
    """
    if not 0 <= message < MESSAGES:
        raise ConfigError(f"message {message}, expected 0 to {MESSAGES - 1}")
    word = VERSION << 8 | message
    return _bits(word << 4 | _checksum(word), 16)


def decode_message(bits: Sequence[int]) -> int | None:
    """The message of 16 bits; None if their checksum is wrong or their version is another."""
    whole = int("".join(map(str, bits)), 2)
    word, checksum = whole >> 4, whole & 0b1111
    return word & 0xFF if checksum == _checksum(word) and word >> 8 == VERSION else None


def _bits(number: int, count: int) -> list[int]:
    return [number >> place & 1 for place in reversed(range(count))]


def _checksum(word: int) -> int:
    """CRC-4-ITU of 12 bits."""
    rest = word << 4
    for place in reversed(range(4, 16)):
        if rest >> place & 1:
            rest ^= _CRC << (place - 4)
    return rest


@dataclass(frozen=True, slots=True)
class MarkedSegment:
    """A part of a recording that is marked."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found in a recording."""

    score: float
    """Highest mean presence logit of a window of a second."""
    threshold: float
    """Score from which on a recording counts as marked."""
    segments: tuple[MarkedSegment, ...]
    """Where it is marked; empty if it is not."""
    message: int | None
    """The message; None without a mark, or if the bits were not read without error."""

    @property
    def marked(self) -> bool:
        """Whether there is a mark."""
        return self.score >= self.threshold


class FrameLogits(NamedTuple):
    """What the detector says of the frames of one recording."""

    presence: np.ndarray
    """`(frames,)`"""
    bits: np.ndarray
    """`(frames, 16)`"""


def window_scores(presence: np.ndarray, frame_s: float) -> np.ndarray:
    """Mean of `presence (frames,)` over each window of a second, a tenth of one apart: `(windows,)`, at least one."""
    width, step = round(WINDOW_S / frame_s), max(round(_STEP_S / frame_s), 1)
    if len(presence) <= width:
        return np.array([presence.mean()])
    sums = np.concatenate([[0.0], np.cumsum(presence, dtype=np.float64)])
    return np.asarray((sums[width:] - sums[:-width])[::step] / width)


def verdict(logits: FrameLogits, frame_s: float, threshold: Threshold) -> Detection:
    """Decide on a recording: marked or not, where, and with which message."""
    score = float(window_scores(logits.presence, frame_s).max())
    if score < threshold.logit:
        return Detection(score, threshold.logit, (), None)
    runs = marked_runs(logits.presence, frame_s, threshold.logit)
    inside = np.concatenate([np.arange(start, end) for start, end in runs])
    trust = 1 / (1 + np.exp(-logits.presence[inside]))
    read = (logits.bits[inside] * trust[:, None]).sum(axis=0) > 0
    segments = tuple(MarkedSegment(round(start * frame_s, 2), round(end * frame_s, 2)) for start, end in runs)
    return Detection(score, threshold.logit, segments, decode_message(read.astype(int).tolist()))


def marked_runs(presence: np.ndarray, frame_s: float, threshold: float) -> list[tuple[int, int]]:
    """Runs of marked frames, (first, last + 1), of a recording with a window at or above `threshold`; at least one."""
    width = min(round(_SMOOTH_S / frame_s), len(presence))
    smooth = np.convolve(presence, np.ones(width), "same") / np.convolve(np.ones(len(presence)), np.ones(width), "same")
    joined: list[tuple[int, int]] = []
    for start, end in _runs(smooth > min(threshold, 0.0)):
        if joined and start - joined[-1][1] < _BRIDGED_S / frame_s:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    long = [(start, end) for start, end in joined if end - start >= _SHORTEST_S / frame_s]
    return long or [max(joined, key=lambda run: run[1] - run[0], default=(0, len(presence)))]


def _runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


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
        self._hop = self.model.config.hop

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
        """Look for a mark in a recording at `sample_rate` Hz that comes as `pieces (n,)`; memory hardly grows with it.

        Raises:
            AudioError: if it is too short.
        """
        return verdict(self.listen(pieces), self.model.frame_s, self.threshold)

    def listen(self, pieces: Iterable[np.ndarray]) -> FrameLogits:
        """What the detector says of each frame of a recording at `sample_rate` Hz.

        Raises:
            AudioError: if it is too short.
        """
        detector, count = self.model.detector, 0
        state: DetectorState = detector.begin(1)
        found: list[Detected] = []
        for piece in self._blocks(pieces):
            count += len(piece)
            with torch.inference_mode():
                heard, state = detector.step(self._row(piece), state)
            found.append(heard)
        if count < LEAST_S * self.sample_rate:
            raise AudioError(f"has {count / self.sample_rate:.2f} s, expected {LEAST_S:g} s or more")
        rest = -count % self._hop + detector.delay_frames * self._hop
        with torch.inference_mode():
            found.append(detector.step(self._row(np.zeros(rest, np.float32)), state)[0])
        presence, bits = (torch.cat(parts, dim=1)[0, detector.delay_frames :] for parts in zip(*found, strict=True))
        return FrameLogits(presence.cpu().numpy(), bits.cpu().numpy())

    def _blocks(self, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        block = round(_BLOCK_S * self.sample_rate)
        for piece in pieces:
            for start in range(0, len(piece), block):
                yield piece[start : start + block]

    def _row(self, samples: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None].to(self.model.device)


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
