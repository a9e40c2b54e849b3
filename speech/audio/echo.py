"""Acoustic echo cancellation: what is played is taken out of what the microphone hears.

An adaptive filter finds the echo (`speech/audio/echo_filter.py`), and what it leaves is attenuated
(`speech/audio/residual_echo.py`). Both work in blocks of 8 ms, whatever the pieces that come.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speech.audio import SAMPLE_RATE, echo_filter, residual_echo
from speech.audio.echo_filter import BLOCK, PARTITIONS, EchoFilterState
from speech.audio.residual_echo import ResidualEchoState
from speech.errors import ConfigError

DELAY_SAMPLES = 2 * BLOCK
"""By which what is cleaned lies behind the microphone, always: 16 ms."""
DELAY_S = DELAY_SAMPLES / SAMPLE_RATE
LONGEST_ECHO_S = PARTITIONS * BLOCK / SAMPLE_RATE
"""From the reference to the end of its echo: what comes later is not found."""

_LOUDEST = 2.0**15
"""Magnitude of a sample up to which all powers are finite in float32."""
_QUIET_BLOCKS = PARTITIONS + 125
"""Silence of the reference after which nothing is computed: the longest echo, and a second until all has faded."""


class EchoState(NamedTuple):
    """State of one stream. Its arrays are not overwritten."""

    microphone: np.ndarray
    """(m,) samples of the block that is not complete, m < 128."""
    reference: np.ndarray
    """(m,) what was played with them."""
    ready: np.ndarray
    """(128 - m,) cleaned samples that the next pieces get."""
    filter: EchoFilterState
    residual: ResidualEchoState
    quiet_blocks: int
    """Blocks since the reference was last heard."""


class EchoCanceller:
    """Removes the echo of what is played from a microphone, 16 kHz mono; stateless: the stream's state is an argument
    and a result.

    The echo may come up to `LONGEST_ECHO_S` after the reference, reverberation included; its delay need not be known,
    and may drift. Where nothing was played for 1.4 s, samples pass unchanged.
    """

    def init_state(self) -> EchoState:
        """Return the state before the first sample."""
        none = np.zeros(0, np.float32)
        ready = np.zeros(BLOCK, np.float32)
        return EchoState(none, none, ready, echo_filter.init_state(), residual_echo.init_state(), _QUIET_BLOCKS)

    def step(self, microphone: np.ndarray, reference: np.ndarray, state: EchoState) -> tuple[np.ndarray, EchoState]:
        """Return as many cleaned samples, those `DELAY_SAMPLES` before, and the next state.

        Whatever the pieces, the samples are the same. Before the first sample lies silence.

        Args:
            microphone: `(n,)` floats, full scale is 1; any `n`, also 0.
            reference: `(n,)` floats, what was played at that time; 0 where nothing was.
            state: of the stream.

        Raises:
            ConfigError: if the shapes differ or are others, the samples are not floats, or one is not finite or far
                beyond full scale.
        """
        _check(microphone, reference)
        heard = np.concatenate([state.microphone, microphone], dtype=np.float32)
        played = np.concatenate([state.reference, reference], dtype=np.float32)
        complete = len(heard) // BLOCK * BLOCK
        cleaned, filtered, residual, quiet = [state.ready], state.filter, state.residual, state.quiet_blocks
        for start in range(0, complete, BLOCK):
            here = slice(start, start + BLOCK)
            quiet = 0 if played[here].any() else quiet + 1
            if quiet >= _QUIET_BLOCKS:
                block, residual = residual_echo.pass_on(heard[here], residual)
            else:
                filtered = filtered.copy() if filtered is state.filter else filtered
                separated, filtered = echo_filter.advance(heard[here], played[here], filtered)
                block, residual = residual_echo.suppress(separated, residual)
            cleaned.append(block)
        whole = np.concatenate(cleaned)
        rest = (heard[complete:].copy(), played[complete:].copy(), whole[len(microphone) :].copy())
        quiet = min(quiet, _QUIET_BLOCKS)
        return whole[: len(microphone)], EchoState(*rest, filtered, residual, quiet)

    def clean(self, microphone: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Clean a recording `(n,)`: `(n,)` samples without delay. Raises ConfigError as `step` does."""
        _check(microphone, reference)
        longer = [np.pad(samples, (0, DELAY_SAMPLES)) for samples in (microphone, reference)]
        return self.step(longer[0], longer[1], self.init_state())[0][DELAY_SAMPLES:]


def _check(microphone: np.ndarray, reference: np.ndarray) -> None:
    for name, samples in (("microphone", microphone), ("reference", reference)):
        _check_samples(samples, where=f"EchoCanceller, {name}")
    if len(microphone) != len(reference):
        raise ConfigError(
            f"{len(microphone)} samples of the microphone and {len(reference)} of the reference",
            where="EchoCanceller",
            fix="Give as many of both; the reference is 0 where nothing is played.",
        )


def _check_samples(samples: np.ndarray, where: str) -> None:
    if samples.ndim != 1:
        raise ConfigError(f"samples have shape {samples.shape}, expected (n,)", where=where, fix="Mix channels first.")
    if not np.issubdtype(samples.dtype, np.floating):
        raise ConfigError(
            f"samples are {samples.dtype}, expected floats", where=where, fix="Divide integers by full scale."
        )
    if len(samples) and not float(np.abs(samples).max()) <= _LOUDEST:
        raise ConfigError(
            f"samples are not finite or above {_LOUDEST:.0f}, expected -1 to 1", where=where, fix="Full scale is 1."
        )
