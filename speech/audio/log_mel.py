"""Log-mel features of OWSM-CTC and Whisper, offline and streaming with identical values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.audio import SAMPLE_RATE
from speech.errors import ConfigError


class Log(StrEnum):
    """Base of the logarithm; names equal values."""

    ln = "ln"
    log10 = "log10"


@dataclass(kw_only=True, slots=True)
class LogMelConfig:
    """Log-mel front end at 16 kHz, with 10 ms per frame by default."""

    n_fft: int = 512
    win_length: int = 400
    """Samples of the Hann window, centred in `n_fft`."""
    hop_length: int = 160
    n_mels: int = 80
    log: Log = Log.ln
    floor: float = 1e-10
    """Smallest mel power."""
    drop_last: bool = False
    """Drop the last frame, as Whisper does: T = n // hop instead of n // hop + 1."""
    whisper_scale: bool = False
    """Apply (x + 4) / 4 after the logarithm."""
    dynamic_range: float | None = None
    """Clamp values to at most this many log units below the utterance's maximum (published Whisper; not streamable)."""

    @classmethod
    def owsm(cls, n_mels: int = 80) -> LogMelConfig:
        """The front end of published OWSM-CTC (80 bins; v4: 128)."""
        return cls(n_mels=n_mels)

    @classmethod
    def whisper(cls) -> LogMelConfig:
        """Streamable Whisper front end: a fixed floor of 1e-7 replaces the clamp to the window's maximum."""
        return cls(n_fft=400, log=Log.log10, floor=1e-7, drop_last=True, whisper_scale=True)

    @classmethod
    def whisper_published(cls, n_mels: int = 80) -> LogMelConfig:
        """The published Whisper front end (Radford et al. 2022; large-v3: 128 bins), for whole utterances only."""
        return cls(n_fft=400, n_mels=n_mels, log=Log.log10, drop_last=True, whisper_scale=True, dynamic_range=8.0)


class LogMelState(NamedTuple):
    """Streaming state of the front end: samples that later frames need."""

    samples: Tensor
    """(batch, n), with the reflected start in front."""
    received: Tensor
    """(batch,) samples so far."""
    frames: Tensor
    """(batch,) frames so far."""


class LogMel(nn.Module):
    """Log-mel features of samples; `forward` for whole utterances, `step` and `finish` for streams of equal length."""

    window: Tensor
    filters: Tensor

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__()
        self.config = config
        side = (config.n_fft - config.win_length) // 2
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            window = torch.hann_window(config.win_length, periodic=True)
            window = F.pad(window, (side, config.n_fft - config.win_length - side))
            filters = torch.from_numpy(mel_filters(config.n_fft, config.n_mels)).float()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    @property
    def pad(self) -> int:
        """Half a window: samples on each side of a frame's centre."""
        return self.config.n_fft // 2

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Number of frames of `lengths (batch,)` samples; shorter rows count as half a window and one sample."""
        lengths = lengths.clamp(min=self.pad + 1)
        return lengths // self.config.hop_length + (0 if self.config.drop_last else 1)

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the frames of whole utterances. Each is reflected at its own end, so padding has no effect.

        Args:
            samples: `(batch, N)` float32.
            lengths: `(batch,)` samples of each.

        Returns:
            `(batch, T, n_mels)`, zero beyond each utterance, and `(batch,)` frames.
        """
        pad, shortest = self.pad, self.pad + 1
        samples = F.pad(samples, (0, max(0, shortest - samples.shape[1])))
        real = torch.arange(samples.shape[1], device=samples.device) < lengths[:, None]
        samples = samples * real
        ends = lengths.clamp(min=shortest)
        index = torch.arange(-pad, samples.shape[1] + pad, device=samples.device).expand(len(samples), -1)
        index = index.abs()
        last = (ends - 1)[:, None]
        index = torch.where(index > last, 2 * last - index, index).clamp(min=0)
        padded = samples.gather(1, index)
        frames = self.output_lengths(lengths)
        features = self.frames(padded, int(frames.max()))
        valid = torch.arange(features.shape[1], device=features.device) < frames[:, None]
        if self.config.dynamic_range is not None:
            scale = 4.0 if self.config.whisper_scale else 1.0
            peak = features.masked_fill(~valid[..., None], -torch.inf).amax(dim=(1, 2), keepdim=True)
            features = torch.maximum(features, peak - self.config.dynamic_range / scale)
        return features * valid[..., None], frames

    def frames(self, padded: Tensor, count: int) -> Tensor:
        """Compute the first `count` frames of samples that start `pad` before the first centre.

        Returns `(batch, count, n_mels)`.
        """
        if count == 0:
            return padded.new_zeros(len(padded), 0, self.config.n_mels)
        config = self.config
        padded = padded[:, : (count - 1) * config.hop_length + config.n_fft]
        spectrum = torch.stft(
            padded, config.n_fft, config.hop_length, window=self.window, center=False, return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        mel = (power.transpose(1, 2) @ self.filters).clamp(min=config.floor)
        logs = mel.log() if config.log == Log.ln else mel.log10()
        return (logs + 4.0) / 4.0 if config.whisper_scale else logs

    def init_state(self, batch: int) -> LogMelState:
        """Return the state before the first sample.

        Raises:
            ConfigError: if the front end needs the whole utterance.
        """
        if self.config.dynamic_range is not None:
            raise ConfigError("a log-mel clamped to the utterance's maximum cannot be streamed", fix="Use whisper().")
        device = self.window.device
        zero = torch.zeros(batch, dtype=torch.int64, device=device)
        return LogMelState(torch.zeros(batch, 0, device=device), zero, zero.clone())

    def ready(self, received: int) -> int:
        """Number of frames that `step` has returned after `received` samples.

        One frame is held back: at the end of the stream it may need reflection, or Whisper drops it.
        """
        return max(0, (received - self.pad) // self.config.hop_length)

    def step(self, samples: Tensor, state: LogMelState) -> tuple[Tensor, LogMelState]:
        """Return the frames `(batch, t, n_mels)` that `samples (batch, n)` complete (any `n`), and the next state."""
        pad, hop = self.pad, self.config.hop_length
        waiting = torch.cat([state.samples, samples], dim=1)
        received = state.received + samples.shape[1]
        before, after = int(state.received[0]), int(received[0])
        if after <= pad:  # the start cannot be reflected yet
            return self.frames(waiting, 0), LogMelState(waiting, received, state.frames)
        if before <= pad:
            waiting = torch.cat([waiting[:, 1 : pad + 1].flip(1), waiting], dim=1)
        ready = self.ready(after) - int(state.frames[0])
        return self.frames(waiting, ready), LogMelState(waiting[:, ready * hop :], received, state.frames + ready)

    def finish(self, state: LogMelState) -> Tensor:
        """Return the last frames `(batch, t, n_mels)`, whose windows reach beyond the end."""
        pad = self.pad
        received, frames = int(state.received[0]), int(state.frames[0])
        waiting = state.samples
        if received <= pad:
            waiting = F.pad(waiting, (0, pad + 1 - received))
            waiting = torch.cat([waiting[:, 1 : pad + 1].flip(1), waiting], dim=1)
        total = int(self.output_lengths(state.received)[0])
        reflected = waiting[:, -pad - 1 : -1].flip(1)
        return self.frames(torch.cat([waiting, reflected], dim=1), total - frames)


class LogMelQueue:
    """Queue of a live stream's samples on the host, kept until their frames are computed.

    `LogMel.frames` computes them for many streams in one batch, on any device, with the same values as `LogMel.step`.

    Args:
        log_mel: the front end that computes the frames.
    """

    def __init__(self, log_mel: LogMel) -> None:
        self._pad, self._config, self._ready = log_mel.pad, log_mel.config, log_mel.ready
        self._samples = np.empty(0, np.float32)
        """From the first sample that the next frame needs; the stream's reflected start in front."""
        self._fresh: list[np.ndarray] = []
        self._received = self._taken = 0

    def push(self, samples: np.ndarray) -> None:
        """Append audio `(n,)`."""
        self._fresh.append(samples)
        self._received += len(samples)

    @property
    def ready(self) -> int:
        """Number of frames that can be computed now."""
        return self._ready(self._received) - self._taken

    def samples(self, count: int) -> np.ndarray:
        """Return the samples `(n,)` of the next `count` frames, with 1 <= `count` <= `ready`."""
        if self._fresh:
            unreflected = self._taken == 0 and len(self._samples) <= self._pad
            self._samples = np.concatenate([self._samples, *self._fresh])
            self._fresh = []
            if unreflected:
                self._samples = np.concatenate([self._samples[self._pad : 0 : -1], self._samples])
        return self._samples[: (count - 1) * self._config.hop_length + self._config.n_fft]

    def drop(self, count: int) -> None:
        """Remove the samples of the next `count` frames, which have been computed."""
        self._samples = self._samples[count * self._config.hop_length :]
        self._taken += count


def mel_filters(n_fft: int, n_mels: int, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Triangular mel filters, 0 to `rate / 2` Hz, Slaney scale and area normalisation: `(n_fft // 2 + 1, n_mels)`.

    Slaney, Auditory Toolbox (1998): linear below 1 kHz, logarithmic above.
    """
    bins = np.linspace(0.0, rate / 2, n_fft // 2 + 1)
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(rate / 2), n_mels + 2))
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges[2:] - edges[:-2])))


_LINEAR_HZ = 200.0 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    return float(_BREAK_HZ / _LINEAR_HZ + np.log(hz / _BREAK_HZ) / _LOG_STEP) if hz >= _BREAK_HZ else hz / _LINEAR_HZ


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    linear = mel * _LINEAR_HZ
    return np.where(linear < _BREAK_HZ, linear, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_HZ / _LINEAR_HZ)))
