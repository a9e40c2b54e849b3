"""The canceller on real speech in synthetic rooms: pieces, what is left of echoes, what is left of voices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import soxr
from echo import response
from hypothesis import given
from hypothesis import strategies as st

from speech.audio import SAMPLE_RATE
from speech.audio.augment import reverb
from speech.audio.echo import _QUIET_BLOCKS, DELAY_S, DELAY_SAMPLES, LONGEST_ECHO_S, EchoCanceller
from speech.audio.echo_filter import BLOCK
from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.errors import ConfigError
from tests.conftest import CLIPS

CANCELLER = EchoCanceller()


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    """Of one level."""
    loaded = [load_audio(clip.audio) for clip in read_manifest(CLIPS, check_files=True)]
    return [(0.05 * samples / np.sqrt(np.mean(samples**2))).astype(np.float32) for samples in loaded]


@pytest.fixture(scope="module")
def reference(clips: list[np.ndarray]) -> np.ndarray:
    """Speech without end, eight seconds of it."""
    return np.resize(np.concatenate(clips[:4]), 8 * SAMPLE_RATE)


@pytest.fixture(scope="module")
def voice(clips: list[np.ndarray]) -> np.ndarray:
    """Others, in the last four seconds of eight."""
    speech = np.resize(np.concatenate(clips[4:][::-1]), 4 * SAMPLE_RATE)
    return np.concatenate([np.zeros(4 * SAMPLE_RATE, np.float32), speech])


def noise(count: int, level: float, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def echo_of(reference: np.ndarray, rt60_s: float, delay_s: float, seed: int = 0) -> np.ndarray:
    return reverb(reference, response(np.random.default_rng(seed), rt60_s, delay_s))


def erle_db(echo: np.ndarray, left: np.ndarray, start_s: float, end_s: float) -> float:
    here = slice(round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE))
    return float(10 * np.log10(np.mean(echo[here] ** 2) / np.mean(left[here] ** 2)))


def si_sdr_db(wanted: np.ndarray, found: np.ndarray) -> float:
    """Scale-invariant ratio of signal to distortion."""
    target = np.dot(found, wanted) / np.dot(wanted, wanted) * wanted
    return float(10 * np.log10(np.sum(target**2) / np.sum((found - target) ** 2)))


def in_pieces(microphone: np.ndarray, reference: np.ndarray, sizes: list[int]) -> np.ndarray:
    state, cleaned, start = CANCELLER.init_state(), [], 0
    for size in [*sizes, len(microphone)]:
        here = slice(start, start + size)
        piece, state = CANCELLER.step(microphone[here], reference[here], state)
        assert len(piece) == len(microphone[here])
        cleaned.append(piece)
        start += size
    return np.concatenate(cleaned)


@given(sizes=st.lists(st.one_of(st.integers(0, 9), st.integers(100, 140), st.integers(0, 4000)), max_size=40))
def test_pieces_of_any_size_give_the_same_bits(sizes: list[int]) -> None:
    played = noise(10_000, 0.1)
    heard = echo_of(played, 0.2, 0.02) + noise(10_000, 0.01, 1)
    whole, _ = CANCELLER.step(heard, played, CANCELLER.init_state())
    np.testing.assert_array_equal(in_pieces(heard, played, sizes), whole)
    assert not np.array_equal(whole[DELAY_SAMPLES:], heard[:-DELAY_SAMPLES])


def test_pieces_give_the_same_bits_when_the_reference_falls_silent_and_comes_back() -> None:
    played = noise(64_000, 0.1)
    played[8_000:48_000] = 0
    heard = echo_of(played, 0.2, 0.02) + noise(64_000, 0.01, 1)
    whole, _ = CANCELLER.step(heard, played, CANCELLER.init_state())
    np.testing.assert_array_equal(in_pieces(heard, played, [320] * 150), whole)
    quiet = slice(8_000 + (_QUIET_BLOCKS + 3) * BLOCK, 48_000)
    np.testing.assert_array_equal(whole[quiet], heard[quiet.start - DELAY_SAMPLES : quiet.stop - DELAY_SAMPLES])


def test_a_state_can_be_used_again() -> None:
    played, heard = noise(4_000, 0.1), noise(4_000, 0.1, 1)
    _, state = CANCELLER.step(heard, played, CANCELLER.init_state())
    first, _ = CANCELLER.step(heard, played, state)
    again, _ = CANCELLER.step(heard, played, state)
    np.testing.assert_array_equal(first, again)


def test_the_delay_is_sixteen_milliseconds() -> None:
    assert DELAY_S == 0.016
    assert LONGEST_ECHO_S == 0.384


def test_without_a_reference_a_voice_passes_bit_for_bit(voice: np.ndarray) -> None:
    silence = np.zeros_like(voice)
    cleaned, _ = CANCELLER.step(voice, silence, CANCELLER.init_state())
    np.testing.assert_array_equal(cleaned[DELAY_SAMPLES:], voice[:-DELAY_SAMPLES])
    assert not cleaned[:DELAY_SAMPLES].any()
    np.testing.assert_array_equal(CANCELLER.clean(voice, silence), voice)


def test_a_voice_survives_what_is_played_and_not_heard(reference: np.ndarray, voice: np.ndarray) -> None:
    """Headphones."""
    heard = voice + noise(len(voice), 5e-4)
    cleaned = CANCELLER.clean(heard, reference)
    assert si_sdr_db(heard[4 * SAMPLE_RATE :], cleaned[4 * SAMPLE_RATE :]) > 9


@pytest.mark.parametrize(
    ("rt60_s", "delay_s", "level"),
    [(0.2, 0.005, 1.0), (0.2, 0.2, 0.3), (0.35, 0.06, 3.0), (0.5, 0.005, 0.3), (0.5, 0.2, 1.0), (0.3, 0.25, 1.0)],
)
def test_after_two_seconds_a_hundredth_of_an_echo_is_left(
    reference: np.ndarray, rt60_s: float, delay_s: float, level: float
) -> None:
    echo = level * echo_of(reference, rt60_s, delay_s)
    heard = echo + noise(len(echo), 0.01 * float(np.sqrt(np.mean(echo**2))))
    assert erle_db(echo, CANCELLER.clean(heard, reference), 2, 8) >= 20


def test_an_echo_whose_clock_drifts_is_followed(reference: np.ndarray) -> None:
    """By a hundred parts in a million: a sample in 0.6 s."""
    drifting = np.asarray(soxr.resample(reference, 1_000_000, 1_000_100, quality="VHQ"), np.float32)[: len(reference)]
    echo = echo_of(drifting, 0.3, 0.05)
    cleaned = CANCELLER.clean(echo + noise(len(echo), 5e-4), reference)
    assert erle_db(echo, cleaned, 2, 8) >= 20


def test_an_echo_path_that_changes_is_learnt_again(reference: np.ndarray) -> None:
    middle = 3 * SAMPLE_RATE
    echo = np.concatenate(
        [echo_of(reference, 0.3, 0.05)[:middle], echo_of(reference, 0.4, 0.1, seed=1)[middle:]]
    )  # fmt: skip
    cleaned = CANCELLER.clean(echo + noise(len(echo), 5e-4), reference)
    assert erle_db(echo, cleaned, 2, 3) >= 20
    assert erle_db(echo, cleaned, 6, 8) >= 20


@pytest.mark.parametrize(("level", "least_db"), [(0.3, 10.0), (1.0, 6.0)])
def test_a_voice_survives_an_echo(reference: np.ndarray, voice: np.ndarray, level: float, least_db: float) -> None:
    echo = level * echo_of(reference, 0.3, 0.05)
    heard = echo + voice + noise(len(echo), 5e-4)
    cleaned = CANCELLER.clean(heard, reference)
    speaking = slice(4 * SAMPLE_RATE, None)
    assert si_sdr_db(voice[speaking], cleaned[speaking]) > max(si_sdr_db(voice[speaking], heard[speaking]), least_db)
    assert np.std(cleaned[speaking]) > 0.8 * np.std(voice[speaking])


def test_a_voice_does_not_lead_the_filter_away(reference: np.ndarray, voice: np.ndarray) -> None:
    played = np.concatenate([reference, reference[: 2 * SAMPLE_RATE]])
    echo = echo_of(played, 0.3, 0.05)
    speaking = np.concatenate([2 * voice, np.zeros(2 * SAMPLE_RATE, np.float32)])
    cleaned = CANCELLER.clean(echo + speaking + noise(len(echo), 5e-4), played)
    assert erle_db(echo, cleaned, 8.2, 10) >= 20  # at once after four seconds of speech that is twice as loud


def silent(count: int) -> np.ndarray:
    return np.zeros(count, np.float32)


def loud(count: int) -> np.ndarray:
    return noise(count, 8_000.0, 2).clip(-(2**15), 2**15)


def faint(count: int) -> np.ndarray:
    return noise(count, 1e-30, 3)


def constant(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


KINDS = [silent, loud, faint, constant]


@pytest.mark.parametrize("played", KINDS)
@pytest.mark.parametrize("heard", KINDS)
def test_whatever_is_heard_and_played_samples_stay_finite(
    heard: Callable[[int], np.ndarray], played: Callable[[int], np.ndarray]
) -> None:
    """Also when they come in turn: a filter that has learnt from faint samples meets loud ones."""
    after = loud(8_000)
    cleaned = CANCELLER.clean(np.concatenate([heard(8_000), after]), np.concatenate([played(8_000), after[::-1]]))
    assert np.isfinite(cleaned).all()
    if heard is silent:
        assert np.abs(cleaned[:4_000]).max() <= 1e-6


@pytest.mark.parametrize(
    ("microphone", "played", "said"),
    [
        (np.zeros((2, 8), np.float32), np.zeros(8, np.float32), r"microphone: samples have shape \(2, 8\)"),
        (np.zeros(8, np.float32), np.zeros((8, 1), np.float32), r"reference: samples have shape \(8, 1\)"),
        (np.zeros(8, np.float32), np.zeros(9, np.float32), "8 samples of the microphone and 9 of the reference"),
        (np.zeros(8, np.int16), np.zeros(8, np.float32), "microphone: samples are int16, expected floats"),
        (np.zeros(8, np.float32), np.zeros(8, np.complex64), "reference: samples are complex64, expected floats"),
        (np.full(8, np.nan, np.float32), np.zeros(8, np.float32), "microphone: samples are not finite"),
        (np.zeros(8, np.float32), np.full(8, -np.inf, np.float32), "reference: samples are not finite"),
        (np.full(8, 4e4, np.float32), np.zeros(8, np.float32), "microphone: .* above 32768"),
    ],
)
def test_other_samples_are_refused(microphone: np.ndarray, played: np.ndarray, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        CANCELLER.step(microphone, played, CANCELLER.init_state())
    with pytest.raises(ConfigError, match=said):
        CANCELLER.clean(microphone, played)


def test_no_samples_are_no_samples() -> None:
    none = np.zeros(0, np.float32)
    assert len(CANCELLER.step(none, none, CANCELLER.init_state())[0]) == 0
    assert len(CANCELLER.clean(none, none)) == 0
