"""What an adaptive filter leaves of an echo is attenuated, frequency by frequency.

Its power is estimated as the filter's own doubt, and as a share of the echo that the filter has found: loudspeakers
distort, and rooms reverberate for longer than the filter. The share follows minima of the ratio between rest and echo
(as minimum statistics of noise: Martin 2001, IEEE Transactions on Speech and Audio Processing 9), which a voice near
the microphone leaves in its pauses. Gains are Wiener's, with the decision-directed ratio of Ephraim and Malah (1984,
IEEE Transactions on Acoustics, Speech, and Signal Processing 32).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speech.audio.echo_filter import BINS, BLOCK, Separated, power

_WINDOW = np.sqrt(0.5 - 0.5 * np.cos(np.pi * np.arange(2 * BLOCK) / BLOCK)).astype(np.float32)
_BANDS = np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 19, 23, 27, 32, 38, 45, 54, 64, 76, 91, 108])
"""First bin of each band, 62.5 Hz a bin: even up to 1 kHz, then a sixth wider each."""
_WIDTHS = np.diff(np.append(_BANDS, BINS))
_DECAY = np.float32(0.8)
"""Of the power of an echo from block to block, while it reverberates: 60 dB in 0.5 s."""
_SMOOTHING = np.float32(0.7)
_FALL = np.float32(0.5)
"""How far the share goes down to a smaller ratio in a block."""
_RISE = np.float32(1.01)
"""By which the share grows in any other block: 5 dB in a second."""
_FIRST_SHARE = 0.1
_LEAST_BAND_POWER = np.float32(1e-3)
"""Echo below this says nothing of its share in the rest."""
_OVERESTIMATE = np.float32(3.0)
"""Of the share: minima lie below the mean."""
_MEMORY = np.float32(0.9)
"""Of the ratio of voice to echo."""
_LEAST_GAIN = np.float32(0.03)
"""-30 dB."""
_INAUDIBLE = np.float32(1e-6)
"""Power of echo that is left as it is, -80 dB of full scale; so is what lies 30 dB below the rest."""
_LITTLE = np.float32(1e-3)
_EPS = np.float32(1e-10)


class ResidualEchoState(NamedTuple):
    """State after some blocks; powers are those of windows of two blocks."""

    rest: np.ndarray
    """(128,) the last block."""
    echo: np.ndarray
    """(128,) the echo that was estimated in it."""
    overlap: np.ndarray
    """(128,) what windows so far take from the last block."""
    echo_power: np.ndarray
    """(129,) reverberating."""
    doubt: np.ndarray
    """(129,) reverberating."""
    bands: np.ndarray
    """(2, 20) smoothed powers of rest and echo."""
    shares: np.ndarray
    """(20,) of the echo in the rest."""
    clean: np.ndarray
    """(129,) power of what the last window let through."""


def init_state() -> ResidualEchoState:
    """Return the state before the first block."""
    silence, no_power = np.zeros(BLOCK, np.float32), np.zeros(BINS, np.float32)
    return ResidualEchoState(
        rest=silence,
        echo=silence,
        overlap=silence,
        echo_power=no_power,
        doubt=no_power,
        bands=np.zeros((2, len(_BANDS)), np.float32),
        shares=np.full(len(_BANDS), _FIRST_SHARE, np.float32),
        clean=no_power,
    )


def suppress(block: Separated, state: ResidualEchoState) -> tuple[np.ndarray, ResidualEchoState]:
    """Return the block before `block` without what is left of the echo, `(128,)`, and the next state."""
    windows = np.concatenate([state.rest, block.rest, state.echo, block.echo]).reshape(2, 2 * BLOCK)
    spectra = np.fft.rfft(windows * _WINDOW)
    powers = power(spectra)
    rest_power = powers[0]
    echo_power = np.maximum(powers[1], _DECAY * state.echo_power, out=powers[1])  # it reverberates
    doubt = np.maximum(block.doubt, _DECAY * state.doubt)
    bands = _SMOOTHING * state.bands + (1 - _SMOOTHING) * np.add.reduceat(powers, _BANDS, axis=1)
    shares = _shares(bands[0], bands[1], state.shares)

    left = _OVERESTIMATE * np.repeat(shares, _WIDTHS) * echo_power + doubt
    over = np.maximum(rest_power / (left + _EPS) - 1, 0)
    ratio = _MEMORY * state.clean / (left + _EPS) + (1 - _MEMORY) * over
    gain = np.maximum(ratio / (1 + ratio), _LEAST_GAIN)
    gain[left <= np.maximum(_INAUDIBLE, _LITTLE * rest_power)] = 1
    # What is taken away is made of windows, not what stays: without an echo, samples stay as they are.
    taken = np.fft.irfft((1 - gain) * spectra[0]) * _WINDOW
    cleaned = state.rest - (state.overlap + taken[:BLOCK])
    clean = np.square(gain) * rest_power
    following = (taken[BLOCK:], echo_power, doubt, bands, shares, clean)
    return cleaned, ResidualEchoState(block.rest, block.echo, *following)


def pass_on(microphone: np.ndarray, state: ResidualEchoState) -> tuple[np.ndarray, ResidualEchoState]:
    """What `suppress` does where there is no echo any more: the block before `microphone (128,)`, and the next state.

    Only the shares are kept.
    """
    return state.rest - state.overlap, init_state()._replace(rest=microphone, shares=state.shares)


def _shares(rest: np.ndarray, echo: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The next shares `(20,)`: down fast, up slowly, and as before where there is no echo to compare with."""
    ratio = rest / (echo + _INAUDIBLE)
    lower = before + _FALL * (ratio - before)
    moved = np.where(ratio < before, lower, np.minimum(before * _RISE, 1))
    return np.where(echo > _LEAST_BAND_POWER, moved, before)
