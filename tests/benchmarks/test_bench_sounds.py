from itertools import islice

import numpy as np
import pytest
from sounds import KINDS, clips, levelled

from speech.audio import SAMPLE_RATE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 500, 3 * SAMPLE_RATE])
def test_each_kind_has_as_many_finite_samples_as_asked_for(kind, count):
    sound = KINDS[kind](count, np.random.default_rng(1))
    assert sound.shape == (count,)
    assert np.isfinite(sound).all()
    assert (np.abs(sound).max() == 0) == (kind == "digital silence") or count == 1


def test_a_seed_gives_the_same_clips_again_and_another_seed_others():
    one, same, other = (list(clips(0.5, seed)) for seed in (3, 3, 4))
    assert all(a == b and np.array_equal(x, y) for (a, x), (b, y) in zip(one, same, strict=True))
    assert [len(x) for _, x in one] != [len(x) for _, x in other]


def test_clips_last_2_to_60_s_and_together_as_long_as_asked_for():
    lengths = [len(sound) for _, sound in clips(4, 0)]
    assert sum(lengths) == 4 * 60 * SAMPLE_RATE
    assert min(lengths) >= 2 * SAMPLE_RATE
    assert max(lengths) <= 60 * SAMPLE_RATE


def test_all_kinds_come_in_turn():
    assert [kind for kind, _ in islice(clips(20, 0), len(KINDS))] == list(KINDS)


def test_a_sound_is_brought_to_its_level_and_silence_stays_silent():
    noise = levelled(np.random.default_rng(0).uniform(-1, 1, SAMPLE_RATE), -30.0)
    assert 20 * np.log10(np.sqrt(np.mean(noise**2))) == pytest.approx(-30, abs=0.01)
    assert not levelled(np.zeros(10), -30.0).any()
