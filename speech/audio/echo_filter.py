"""The linear part of echo cancellation: an adaptive filter from what is played to what of it the microphone hears.

It is the frequency-domain adaptive Kalman filter of Enzner and Vary (2006, "Frequency-domain adaptive Kalman filter for
acoustic echo control in hands-free telephones", Signal Processing 86), in partitions as in Kuech, Mabande and Enzner
(2014, "State-space architecture of the partitioned-block-based acoustic echo controller", ICASSP). Each coefficient has
an uncertainty. Steps are large where it is large beside the power of what the filter does not explain, so that a voice
near the microphone slows the filter down instead of leading it away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 128
"""Samples of a block: 8 ms."""
BINS = BLOCK + 1
PARTITIONS = 48
"""Blocks of the echo path that are modelled, 384 ms: delay and reverberation together."""

_TRANSITION = 0.9993
"""Share of a coefficient that is left after a block, in the model of how echo paths change."""
_NEAR_MEMORY = 0.7
"""Share of the older blocks in the power that the filter does not explain."""
_PRIOR = 1.0
"""Variance of coefficients before any sound: an echo that is 10 dB louder than what is played is learnt, too."""
_MOST_UNCERTAIN = 4.0
_STEP = 0.7
"""Relative to the error's spectrum; 0.5 is the step of Kuech et al., whose frames are half zero, too."""
_CONSTRAINED = 4
"""Partitions per block whose responses are cut to their length, by turns (as in Valin's Speex); cutting all costs
more and gained little."""
_LEAST_POWER = 3e-5
"""Added to the power that the filter does not explain; that of noise at -66 dB of full scale."""


class EchoFilterState(NamedTuple):
    """State of the filter after some blocks."""

    weights: np.ndarray
    """(48, 129) complex64, the newest partition first."""
    uncertainty: np.ndarray
    """(48, 129) variances of the weights."""
    spectra: np.ndarray
    """(96, 129) complex64: the last 48 spectra of the reference, twice, so that some 48 rows are in order."""
    powers: np.ndarray
    """(96, 129) of the spectra."""
    reference: np.ndarray
    """(128,) the last block."""
    near: np.ndarray
    """(129,) power of what the filter does not explain, smoothed."""
    blocks: int
    """Blocks so far."""

    def copy(self) -> EchoFilterState:
        """A copy that shares nothing."""
        return self._replace(**{name: getattr(self, name).copy() for name in self._fields[:-1]})


class Separated(NamedTuple):
    """A block of the microphone, separated."""

    rest: np.ndarray
    """(128,) the microphone without the echo that is estimated."""
    echo: np.ndarray
    """(128,) the echo that is estimated."""
    doubt: np.ndarray
    """(129,) power of echo that is expected in the rest, as coefficients are uncertain."""


def init_state() -> EchoFilterState:
    """Return the state before the first block."""
    return EchoFilterState(
        weights=np.zeros((PARTITIONS, BINS), np.complex64),
        uncertainty=np.full((PARTITIONS, BINS), _PRIOR, np.float32),
        spectra=np.zeros((2 * PARTITIONS, BINS), np.complex64),
        powers=np.zeros((2 * PARTITIONS, BINS), np.float32),
        reference=np.zeros(BLOCK, np.float32),
        near=np.full(BINS, _LEAST_POWER, np.float32),
        blocks=0,
    )


def advance(microphone: np.ndarray, reference: np.ndarray, state: EchoFilterState) -> tuple[Separated, EchoFilterState]:
    """Separate the next block `microphone (128,)`, while `reference (128,)` is played, both float32.

    The arrays of `state` are overwritten: they are those of the next state. Copy them where the old one is needed.
    """
    weights, uncertainty, powers = state.weights, state.uncertainty, state.powers
    newest = -(state.blocks + 1) % PARTITIONS
    spectrum = np.fft.rfft(np.concatenate([state.reference, reference]))
    for row in (newest, newest + PARTITIONS):
        state.spectra[row] = spectrum
        powers[row] = power(spectrum)
    state.reference[:] = reference
    spectra = state.spectra[newest : newest + PARTITIONS]
    _let_change(weights, uncertainty, state.blocks)

    product = spectra * weights
    echo = np.fft.irfft(product.sum(axis=0))[BLOCK:]
    rest = microphone - echo
    error = np.fft.rfft(np.concatenate([np.zeros(BLOCK, np.float32), rest]))
    state.near[:] = _NEAR_MEMORY * state.near + (1 - _NEAR_MEMORY) * power(error)

    explained = uncertainty * powers[newest : newest + PARTITIONS]
    doubt = 0.5 * explained.sum(axis=0)
    observed = doubt + state.near + np.float32(_LEAST_POWER)
    np.conjugate(spectra, out=product)
    product *= uncertainty
    product *= _STEP * error / observed
    weights += product
    explained *= -0.25 / observed
    explained += 1
    uncertainty *= explained
    _constrain(weights, state.blocks)
    return Separated(rest, echo, doubt), state._replace(blocks=state.blocks + 1)


def power(spectrum: np.ndarray) -> np.ndarray:
    """Squared magnitudes of a spectrum."""
    return np.square(spectrum.real) + np.square(spectrum.imag)


def _turn(blocks: int) -> slice:
    """The partitions whose turn it is."""
    first = blocks * _CONSTRAINED % PARTITIONS
    return slice(first, first + _CONSTRAINED)


def _let_change(weights: np.ndarray, uncertainty: np.ndarray, blocks: int) -> None:
    """Add the uncertainty of all blocks since the last turn of some partitions: echo paths change."""
    turn = _turn(blocks)
    kept = np.float32(_TRANSITION ** (2 * PARTITIONS // _CONSTRAINED))
    grown = kept * uncertainty[turn] + (1 - kept) * power(weights[turn])
    np.minimum(grown, np.float32(_MOST_UNCERTAIN), out=uncertainty[turn])


def _constrain(weights: np.ndarray, blocks: int) -> None:
    """Cut responses to a block: a spectrum of two blocks wraps around."""
    turn = _turn(blocks)
    responses = np.fft.irfft(weights[turn])
    responses[:, BLOCK:] = 0
    weights[turn] = np.fft.rfft(responses)
