"""Similarity of voices: the cosine of two voice vectors (GE2E, Wan et al. 2018, arXiv 1710.10467).

The network is that of the package `resemblyzer`. Only its weights are read, since it imports a compiled voice activity
detector; speech is found by ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchaudio.functional import melscale_fbanks

from speech.audio import SAMPLE_RATE
from speech.audio.vad import Vad, segment
from speech.errors import ConfigError, ModelError
from speech.extras import needs_extra

_WINDOW, _HOP, _BINS = 400, 160, 40
PARTIAL_FRAMES = 160
"""Frames of a partial utterance: 1.6 s."""
_STEP = 77
"""Frames between partial utterances: 1.3 of them a second."""
_LEAST_COVERED = 0.75
_HIDDEN, _LAYERS = 256, 3
VECTOR_DIM = _HIDDEN
"""Numbers of a voice vector."""
LOUDNESS_DB = -30.0


class VoiceEncoder(nn.Module):
    """Voice vectors of recordings.

    Args:
        vad: finds the speech.

    Raises:
        ConfigError: if the package `resemblyzer` is missing.
        ModelError: if it has another layout.
    """

    def __init__(self, vad: Vad) -> None:
        super().__init__()
        self._vad = vad
        self.lstm = nn.LSTM(_BINS, _HIDDEN, _LAYERS, batch_first=True)
        self.linear = nn.Linear(_HIDDEN, _HIDDEN)
        path = _shipped_weights()
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            self.load_state_dict({name: weights[name] for name in self.state_dict()})
        except (OSError, KeyError, RuntimeError) as error:
            raise ModelError(f"cannot be read: {error}", where=str(path), fix="Install resemblyzer 0.1.4.") from error
        filters = melscale_fbanks(_WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, _BINS, SAMPLE_RATE, "slaney", "slaney")
        self._filters, self._taper = filters, torch.hann_window(_WINDOW)
        self.name = f"similarity:resemblyzer-{version('resemblyzer')}"
        self.eval()

    def vector(self, samples: np.ndarray) -> np.ndarray | None:
        """The voice vector `(256,)` of length 1 of `samples (n,)` at 16 kHz; None if nobody speaks."""
        speech = self.speech(samples)
        if not len(speech):
            return None
        with torch.inference_mode():
            partial = self.forward(self.partials(louder(speech)))
            mean = partial.mean(dim=0)
            found: np.ndarray = (mean / mean.norm()).numpy()
        return found

    def speech(self, samples: np.ndarray) -> np.ndarray:
        """What somebody says in `samples (n,)` at 16 kHz, without pauses: `(m,)`."""
        spans = segment(samples, self._vad)
        parts = [samples[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for a, b in spans]
        return np.concatenate([samples[:0], *parts])

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Vectors `(partials, 256)` of length 1 of mel powers `(partials, frames, bins)`."""
        _, (hidden, _) = self.lstm(mels)
        raw = torch.relu(self.linear(hidden[-1]))
        return raw / raw.norm(dim=1, keepdim=True)

    def partials(self, samples: np.ndarray) -> torch.Tensor:
        """Mel powers of overlapping partial utterances, `(partials, 160, 40)`; the last is padded with silence, or left
        out if less than three quarters of it are speech and it is not the only one."""
        frames = -(-(len(samples) + 1) // _HOP)
        starts = list(range(0, max(1, frames - PARTIAL_FRAMES + _STEP + 1), _STEP))
        covered = (len(samples) - starts[-1] * _HOP) / (PARTIAL_FRAMES * _HOP)
        if covered < _LEAST_COVERED and len(starts) > 1:
            del starts[-1]
        padded = np.pad(samples, (0, max(0, (starts[-1] + PARTIAL_FRAMES) * _HOP - len(samples))))
        mels = self.mels(torch.from_numpy(padded.astype(np.float32)))
        return torch.stack([mels[start : start + PARTIAL_FRAMES] for start in starts])

    def mels(self, samples: torch.Tensor) -> torch.Tensor:
        """Mel powers `(frames, bins)` of `samples (n,)`, 100 a second."""
        spectrum = torch.stft(samples, _WINDOW, _HOP, window=self._taper, pad_mode="constant", return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        return power.T @ self._filters


def speaker_vector(encoder: VoiceEncoder, recordings: Iterable[np.ndarray]) -> torch.Tensor | None:
    """The vector of a speaker: the mean of those of recordings `(n,)` at 16 kHz, of length 1; None if nobody speaks.

    Returns:
        `(VECTOR_DIM,)` float32.
    """
    vectors = [vector for samples in recordings if (vector := encoder.vector(samples)) is not None]
    if not vectors:
        return None
    mean = np.mean(vectors, axis=0)
    return torch.from_numpy(mean / np.linalg.norm(mean)).float()


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two voice vectors: 0 to 1, since their entries are not negative."""
    return float(one @ other)


def louder(samples: np.ndarray) -> np.ndarray:
    """Speech at -30 dB of full scale or more."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    gain = 10 ** (LOUDNESS_DB / 20) / np.sqrt(power) if power else 1.0
    return samples * np.float32(max(gain, 1.0))


def _shipped_weights() -> Path:
    # The file is located without importing the package.
    spec = find_spec("resemblyzer")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("similarity of voices needs the package resemblyzer", fix=needs_extra("speech-scores"))
    return Path(next(iter(spec.submodule_search_locations))) / "pretrained.pt"
