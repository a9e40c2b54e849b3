"""The adaptive filter: which echo path it finds, what it does not touch, and how sure it is."""

from __future__ import annotations

import numpy as np
from echo import response

from speech.audio.augment import reverb
from speech.audio.echo_filter import BLOCK, PARTITIONS, EchoFilterState, Separated, advance, init_state, power


def noise(blocks: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(blocks * BLOCK)).astype(np.float32)


def run(microphone: np.ndarray, reference: np.ndarray) -> tuple[list[Separated], EchoFilterState]:
    state, found = init_state(), []
    for start in range(0, len(microphone), BLOCK):
        here = slice(start, start + BLOCK)
        separated, state = advance(microphone[here], reference[here], state)
        found.append(separated)
    return found, state


def test_of_noise_it_finds_the_echo_path():
    reference, path = noise(1000), response(np.random.default_rng(1), 0.2, 0.03)
    found, state = run(reverb(reference, path), reference)
    learnt = np.fft.irfft(state.weights)[:, :BLOCK].reshape(-1)
    wanted = np.pad(path, (0, len(learnt) - len(path)))
    assert np.sum((learnt - wanted) ** 2) < 0.01 * np.sum(wanted**2)
    assert np.mean(found[-1].rest ** 2) < 1e-3 * np.mean(found[-1].echo ** 2)


def test_rest_and_echo_are_what_is_heard():
    reference = noise(50)
    heard = reverb(reference, response(np.random.default_rng(1), 0.2, 0.03)) + noise(50, 1)
    found, _ = run(heard, reference)
    both = np.concatenate([block.rest + block.echo for block in found])
    np.testing.assert_allclose(both, heard, atol=1e-6)


def test_without_a_reference_nothing_is_found():
    heard = noise(20)
    found, state = run(heard, np.zeros_like(heard))
    np.testing.assert_array_equal(np.concatenate([block.rest for block in found]), heard)
    assert not state.weights.any()
    assert not any(block.doubt.any() for block in found)


def test_doubt_becomes_less_while_it_learns():
    reference = noise(400)
    found, state = run(reverb(reference, response(np.random.default_rng(1), 0.2, 0.03)), reference)
    assert found[-1].doubt.sum() < 0.2 * found[5].doubt.sum()
    assert (state.uncertainty > 0).all()


def test_spectra_are_in_order_and_kept_for_the_longest_echo():
    reference = noise(PARTITIONS + 5)
    _, state = run(np.zeros_like(reference), reference)
    newest = -state.blocks % PARTITIONS
    for age in (0, 1, PARTITIONS - 1):
        end = len(reference) - age * BLOCK
        wanted = np.fft.rfft(reference[end - 2 * BLOCK : end])
        np.testing.assert_allclose(state.spectra[newest + age], wanted, atol=1e-4)
        np.testing.assert_allclose(state.powers[newest + age], power(wanted), atol=1e-3, rtol=1e-4)


def test_a_copy_shares_nothing():
    _, state = run(noise(3), noise(3, 1))
    copied = state.copy()
    before = copied.weights.copy()
    advance(noise(1), noise(1, 1), state)
    np.testing.assert_array_equal(copied.weights, before)
    assert copied.blocks == state.blocks == 3
