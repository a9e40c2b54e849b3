"""The suppressor on blocks whose echo is known: what it takes away, and what it leaves."""

from __future__ import annotations

import numpy as np

from speech.audio.echo_filter import BINS, BLOCK, Separated
from speech.audio.residual_echo import ResidualEchoState, init_state, pass_on, suppress

NO_DOUBT = np.zeros(BINS, np.float32)


def noise(blocks: int, level: float, seed: int) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(blocks * BLOCK)).astype(np.float32)


def run(rest: np.ndarray, echo: np.ndarray, doubt: np.ndarray = NO_DOUBT) -> tuple[np.ndarray, ResidualEchoState]:
    """The samples of `rest` but for the last block, without what is left of `echo`."""
    state, cleaned = init_state(), []
    for start in range(0, len(rest), BLOCK):
        here = slice(start, start + BLOCK)
        block, state = suppress(Separated(rest[here], echo[here], doubt), state)
        cleaned.append(block)
    return np.concatenate(cleaned)[BLOCK:], state


def test_without_an_echo_samples_stay_as_they_are():
    rest = noise(50, 0.1, 0)
    cleaned, _ = run(rest, np.zeros_like(rest))
    np.testing.assert_array_equal(cleaned, rest[:-BLOCK])


def test_what_is_left_of_an_echo_is_attenuated():
    echo = noise(200, 0.1, 0)
    cleaned, _ = run(0.1 * echo, echo)
    assert np.std(cleaned[100 * BLOCK :]) < 0.1 * np.std(0.1 * echo)


def test_what_the_filter_doubts_is_attenuated():
    rest = noise(100, 0.1, 0)
    doubt = np.full(BINS, 4 * BLOCK * 0.01, np.float32)
    cleaned, _ = run(rest, np.zeros_like(rest), doubt)
    assert np.std(cleaned[50 * BLOCK :]) < 0.2 * np.std(rest)


def test_doubt_that_the_rest_belies_is_left_out_after_a_second():
    rest = noise(400, 0.1, 0)
    doubt = np.full(BINS, 1000 * BLOCK * 0.01, np.float32)
    cleaned, state = run(rest, np.zeros_like(rest), doubt)
    assert np.std(cleaned[: 50 * BLOCK]) < 0.1 * np.std(rest)
    assert np.median(state.shares[1]) < 2e-3
    voice = noise(100, 1.0, 1)
    cleaned, _ = run(np.concatenate([rest, voice]), np.zeros(500 * BLOCK, np.float32), doubt)
    assert np.std(cleaned[450 * BLOCK :] - voice[50 * BLOCK : -BLOCK]) < 0.2 * np.std(voice)


def test_the_share_of_an_echo_is_found_and_a_voice_with_pauses_does_not_raise_it():
    echo = noise(1000, 0.1, 0)
    quiet_state = run(0.03 * echo, echo)[1]
    voice = noise(1000, 0.1, 1) * np.repeat(np.arange(1000) // 30 % 2, BLOCK).astype(np.float32)  # 240 ms at a time
    rest = 0.03 * echo + voice
    cleaned, state = run(rest, echo)
    assert 0.2 * 0.03**2 < np.median(quiet_state.shares[0]) < 1.5 * 0.03**2
    assert np.median(state.shares[0]) < 5 * 0.03**2
    speaking = np.repeat(np.arange(1000) // 30 % 2, BLOCK)[:-BLOCK] == 1
    assert np.sum((cleaned - voice[:-BLOCK])[speaking] ** 2) < 0.1 * np.sum(voice[:-BLOCK][speaking] ** 2)


def test_an_echo_is_attenuated_while_it_fades():
    echo = noise(200, 0.1, 0)
    echo[100 * BLOCK :] = 0
    fading = noise(200, 0.1, 1) * np.float32(0.03)
    fading[105 * BLOCK :] = 0
    cleaned, _ = run(fading, echo)
    here = slice(101 * BLOCK, 104 * BLOCK)
    assert np.std(cleaned[here]) < 0.5 * np.std(fading[here])


def test_what_passes_on_is_the_block_before_and_shares_are_kept():
    echo = noise(20, 0.1, 0)
    _, state = run(0.1 * echo, echo)
    block, later = pass_on(noise(1, 0.1, 2), state)
    np.testing.assert_array_equal(block, state.rest - state.overlap)
    np.testing.assert_array_equal(later.shares, state.shares)
    again, _ = pass_on(noise(1, 0.1, 3), later)
    np.testing.assert_array_equal(again, noise(1, 0.1, 2))
