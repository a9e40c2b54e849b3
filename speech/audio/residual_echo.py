"""What an adaptive filter leaves of an echo is attenuated, frequency by frequency.

Its power is estimated as shares of the echo that the filter has found, as loudspeakers distort and rooms reverberate
for longer than the filter, and of the filter's own doubt, which is too great where partitions explain each other. The
shares follow minima of ratios to the rest (as minimum statistics of noise: Martin 2001, IEEE Transactions on Speech and
Audio Processing 9), which a voice near the microphone leaves in its pauses. Gains are Wiener's, with the
decision-directed ratio of Ephraim and Malah (1984, IEEE Transactions on Acoustics, Speech, and Signal Processing 32).
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
_FALL = np.array([[0.5], [0.02]], np.float32)
"""How far the shares of echo and of doubt go down to a smaller ratio in a block: doubt rises with the reference, up to
0.25 s before the echo comes."""
_RISE = np.float32(1.01)
"""By which a share grows in any other block: 5 dB in a second."""
_OVERESTIMATE = np.float32(3.0)
"""Of the shares: minima lie below the mean."""
_FIRST_SHARES = np.array([[0.1], [1 / 3]], np.float32)
_MOST_SHARES = np.array([[1], [1 / 3]], np.float32)
"""All doubt, with the factor above."""
_LEAST_BAND_POWER = np.float32(1e-3)
"""Echo or doubt below this says nothing of its share in the rest."""
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
    expected: np.ndarray
    """(2, 129) powers of echo and doubt, reverberating."""
    rest_bands: np.ndarray
    """(20,) smoothed powers of the rest."""
    expected_bands: np.ndarray
    """(2, 20) smoothed powers of echo and doubt."""
    shares: np.ndarray
    """(2, 20) of echo and doubt in the rest."""
    clean: np.ndarray
    """(129,) power of what the last window let through."""


def init_state() -> ResidualEchoState:
    """Return the state before the first block."""
    silence, no_power = np.zeros(BLOCK, np.float32), np.zeros(BINS, np.float32)
    return ResidualEchoState(
        rest=silence,
        echo=silence,
        overlap=silence,
        expected=np.zeros((2, BINS), np.float32),
        rest_bands=np.zeros(len(_BANDS), np.float32),
        expected_bands=np.zeros((2, len(_BANDS)), np.float32),
        shares=np.repeat(_FIRST_SHARES, len(_BANDS), axis=1),
        clean=no_power,
    )


def suppress(block: Separated, state: ResidualEchoState) -> tuple[np.ndarray, ResidualEchoState]:
    """Return the block before `block` without what is left of the echo, `(128,)`, and the next state."""
    windows = np.concatenate([state.rest, block.rest, state.echo, block.echo]).reshape(2, 2 * BLOCK)
    spectra = np.fft.rfft(windows * _WINDOW)
    powers = np.concatenate([power(spectra), block.doubt[None]])
    rest_power, expected = powers[0], powers[1:]
    np.maximum(expected, _DECAY * state.expected, out=expected)
    bands = (1 - _SMOOTHING) * np.add.reduceat(powers, _BANDS, axis=1)
    rest_bands, expected_bands = _SMOOTHING * state.rest_bands + bands[0], _SMOOTHING * state.expected_bands + bands[1:]
    shares = _shares(rest_bands, expected_bands, state.shares)

    left = (np.repeat(_OVERESTIMATE * shares, _WIDTHS, axis=1) * expected).sum(axis=0)
    over = np.maximum(rest_power / (left + _EPS) - 1, 0)
    ratio = _MEMORY * state.clean / (left + _EPS) + (1 - _MEMORY) * over
    gain = np.maximum(ratio / (1 + ratio), _LEAST_GAIN)
    gain[left <= np.maximum(_INAUDIBLE, _LITTLE * rest_power)] = 1
    # What is taken away is made of windows, not what stays: without an echo, samples stay as they are.
    taken = np.fft.irfft((1 - gain) * spectra[0]) * _WINDOW
    cleaned = state.rest - (state.overlap + taken[:BLOCK])
    clean = np.square(gain) * rest_power
    following = (taken[BLOCK:], expected, rest_bands, expected_bands, shares, clean)
    return cleaned, ResidualEchoState(block.rest, block.echo, *following)


def pass_on(microphone: np.ndarray, state: ResidualEchoState) -> tuple[np.ndarray, ResidualEchoState]:
    """What `suppress` does where there is no echo any more: the block before `microphone (128,)`, and the next state.

    Only the shares are kept.
    """
    return state.rest - state.overlap, init_state()._replace(rest=microphone, shares=state.shares)


def _shares(rest: np.ndarray, expected: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The next shares `(2, 20)` for band powers `(20,)` and `(2, 20)`: down fast, up slowly, and as before where there
    is nothing to compare with."""
    ratio = rest / (expected + _INAUDIBLE)
    lower = before + _FALL * (ratio - before)
    moved = np.where(ratio < before, lower, np.minimum(before * _RISE, _MOST_SHARES))
    return np.where(expected > _LEAST_BAND_POWER, moved, before)
