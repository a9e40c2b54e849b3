"""Samples of a reply in the rate and encoding that a client wants, piece by piece."""

from __future__ import annotations

import numpy as np
import soxr

from serve.protocols import wire
from speech.audio.output import a_law_bytes, int16_samples, mu_law_bytes


class ReplySound:
    """The sound of one reply.

    Args:
        sample_rate: of our voice, in Hz.
        wanted: what the client plays; one channel of `pcm_s16le`, `mulaw` or `alaw`.
    """

    def __init__(self, sample_rate: int, wanted: wire.AudioParams) -> None:
        self._encoding, rate = wanted.encoding, wanted.sample_rate
        self._resampler = None if rate == sample_rate else soxr.ResampleStream(sample_rate, rate, 1, "float32", "HQ")

    def encode(self, pcm: bytes) -> bytes:
        """The bytes that samples complete, possibly none; `pcm` has whole ones of 16 bits, little-endian."""
        if self._resampler is None and self._encoding == "pcm_s16le":
            return pcm
        return self._encoded(np.frombuffer(pcm, "<i2").astype(np.float32) / 32767, last=False)

    def finish(self) -> bytes:
        """The rest."""
        return self._encoded(np.zeros(0, np.float32), last=True)

    def _encoded(self, samples: np.ndarray, *, last: bool) -> bytes:
        if self._resampler is not None:
            samples = np.asarray(self._resampler.resample_chunk(samples, last=last))
        if self._encoding == "pcm_s16le":
            return int16_samples(samples).tobytes()
        return mu_law_bytes(samples) if self._encoding == "mulaw" else a_law_bytes(samples)
