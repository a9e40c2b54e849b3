import numpy as np
import pytest
from echo import ALONE_S, TOGETHER_S, clipped, joined, measured, mixed, response, rows

from speech.audio.echo import EchoCanceller
from speech.audio.vad import Vad
from speech.data.manifest import read_manifest
from tests.conftest import CLIPS

RATE = 16_000
BEGIN = round(ALONE_S * RATE)


def test_a_response_has_energy_one_behind_its_delay_and_falls_sixty_decibels():
    path = response(np.random.default_rng(0), 0.3, 0.1)
    assert not path[: RATE // 10].any()
    assert np.sum(path**2) == pytest.approx(1, rel=1e-4)
    early, late = (np.mean(path[RATE // 10 + start :][:800] ** 2) for start in (0, round(0.15 * RATE)))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=2)


def test_a_loudspeaker_that_clips_leaves_soft_sounds_and_limits_loud_ones():
    samples = np.array([0.001, -0.001, 1.0, -1.0] + [0.0] * 96, np.float32)
    found = clipped(samples)
    np.testing.assert_allclose(found[:2], samples[:2], rtol=1e-4)
    assert np.abs(found).max() < 0.9


@pytest.mark.parametrize("ser_db", [-10.0, 10.0])
def test_a_mixture_has_the_ratio_that_is_asked_for(ser_db):
    rng = np.random.default_rng(0)
    signals = [rng.standard_normal(round((ALONE_S + TOGETHER_S) * RATE)).astype(np.float32) for _ in range(2)]
    mixture = mixed(signals[0], signals[1], ser_db, False, rng)
    ratio = np.mean(mixture.voice[BEGIN:] ** 2) / np.mean(mixture.echo**2)
    assert 10 * np.log10(ratio) == pytest.approx(ser_db, abs=0.01)
    assert 10 * np.log10(np.mean(mixture.noise**2) / np.mean(mixture.echo**2)) == pytest.approx(-40, abs=0.1)
    assert not mixture.voice[:BEGIN].any()
    np.testing.assert_array_equal(mixture.microphone, mixture.echo + mixture.voice + mixture.noise)


def test_a_mixture_of_real_speech_is_measured():
    rng = np.random.default_rng(0)
    clips = read_manifest(CLIPS, check_files=True)
    reference, who = joined(clips, rng)
    voice, other = joined(clips, rng, who)
    assert other != who
    figures, spent = measured(mixed(reference, voice, 0.0, False, rng), Vad(), EchoCanceller())
    assert figures["erle_2s_on"] > 20
    assert figures["false_cleaned"] < 0.1 < 0.5 < figures["false_heard"]
    assert figures["kept_cleaned"] > 0.8
    assert spent.cpu_s > 0


def test_figures_are_means_per_condition():
    found = [
        ((0.0, False), {"erle_2s_on": 20.0, "kept_cleaned": 0.5}),
        ((0.0, True), {"erle_2s_on": 10.0, "kept_cleaned": 0.25}),
        ((0.0, False), {"erle_2s_on": 30.0, "kept_cleaned": 1.0}),
    ]
    assert rows(found) == [
        {"ser_db": 0.0, "clips": False, "mixtures": 2, "erle_2s_on": 25.0, "kept_cleaned": 75.0},
        {"ser_db": 0.0, "clips": True, "mixtures": 1, "erle_2s_on": 10.0, "kept_cleaned": 25.0},
    ]
