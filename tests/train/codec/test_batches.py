"""Crops of a corpus: always the same, at the codec's rate, of all languages; the dev set as it is."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.data.reading import Tally
from speech.errors import DataError
from speech.train.codec.batches import CodecBatch, CodecBatches, CodecDev
from speech.train.codec.config import CropConfig
from tests.train.codec.corpus import spoken

__all__ = ["spoken"]  # fixtures
RATE = 8000


@pytest.fixture(scope="module")
def utterances(spoken):
    return read_manifest(spoken / "train.jsonl")


def config(**settings: object) -> CropConfig:
    return CropConfig(**({"epoch": 7, "rows": 6, "crop_s": 0.2, "gain_db": 0.0} | settings))


def test_a_batch_is_always_the_same_and_no_other_is(utterances):
    first, second = (CodecBatches(utterances, config(gain_db=6.0), RATE, 3, cache=cached) for cached in (False, True))
    assert first.size(0) == 7
    a, b = first.batch(1, 2), second.batch(1, 2)
    assert a.ids == b.ids
    torch.testing.assert_close(a.samples, b.samples, atol=1e-4, rtol=0)
    assert torch.equal(first.batch(1, 2).samples, a.samples)
    assert not torch.equal(first.batch(1, 3).samples, a.samples)
    assert not torch.equal(first.batch(2, 2).samples, a.samples)
    assert not torch.equal(CodecBatches(utterances, config(), RATE, 4).batch(1, 2).samples, a.samples)


def test_a_crop_is_part_of_its_utterance_at_the_rate_of_the_codec(utterances):
    batch = CodecBatches(utterances, config(), RATE, 0).batch(0, 0)
    assert (len(batch), batch.sample_rate, batch.samples.shape) == (6, RATE, (6, 1600))
    paths = {u.id: u.audio for u in utterances}
    for name, row in zip(batch.ids, batch.samples.numpy(), strict=True):
        whole = load_audio(paths[name], rate=RATE)
        assert len(whole) == 4000
        windows = np.lib.stride_tricks.sliding_window_view(whole, 1600)
        assert np.abs(windows - row).max(axis=1).min() < 1e-6


def test_short_utterances_are_padded(utterances):
    batch = CodecBatches(utterances, config(crop_s=1.0), RATE, 0).batch(0, 0)
    assert batch.samples.shape == (6, 4000)
    assert batch.sample_lengths.tolist() == [4000] * 6


def test_gain_stays_within_its_range_and_full_scale(utterances):
    plain, loud = (CodecBatches(utterances, config(gain_db=db), RATE, 0).batch(0, 0) for db in (0.0, 40.0))
    ratio = loud.samples.abs().amax(dim=1) / plain.samples.abs().amax(dim=1)
    assert loud.samples.abs().max() <= 1.0
    assert ratio.min() < 0.5
    assert ratio.max() > 2.0


def test_languages_are_drawn_by_their_seconds_to_a_power(utterances):
    much = [replace(u, language="eng") for u in utterances] * 8
    few = [replace(u, id="x", language="lad") for u in utterances[:1]]

    def share(power: float) -> float:
        batches = CodecBatches([*much, *few], config(rows=200, language_power=power), RATE, 0, cache=True)
        return Counter(batches.batch(0, 0).ids)["x"] / 200

    assert 0.35 < share(0.0) < 0.65
    assert share(1.0) < 0.05


def test_batches_move_whole(utterances):
    batch = CodecBatches(utterances, config(), RATE, 0).batch(0, 0)
    moved = batch.to("meta")
    assert moved.samples.device == moved.sample_lengths.device == torch.device("meta")
    assert isinstance(moved, CodecBatch)
    assert (moved.ids, moved.sample_rate) == (batch.ids, RATE)


def test_unreadable_audio_is_told_and_too_much_of_it_ends_the_run(utterances, tmp_path):
    broken = [replace(u, audio=tmp_path / "none.wav") for u in utterances[1:]]
    mixed = CodecBatches([utterances[0], *broken], config(rows=30), RATE, 0).batch(0, 0)
    assert set(mixed.ids) == {utterances[0].id}
    assert mixed.unreadable
    with pytest.raises(DataError, match="no utterance of many batches can be read"):
        CodecBatches(broken, config(rows=1), RATE, 0).batch(0, 0)
    with pytest.raises(DataError, match="cannot be read"):
        list(CodecDev([utterances[0], *broken], config(), RATE, Tally("dev", 12, 0.1)))


def test_dev_is_the_beginning_of_utterances_evenly_by_duration(utterances):
    lengthened = [replace(u, duration_s=0.5 + n / 10) for n, u in enumerate(reversed(utterances))]
    dev = CodecDev(lengthened, config(dev_rows=4, rows=3, dev_s=0.3), RATE, Tally("dev", 12, 0.0))
    batches = list(dev)
    assert [len(batch) for batch in batches] == [3, 1]
    assert len(dev) == 2
    chosen = [name for batch in batches for name in batch.ids]
    assert chosen == [lengthened[n].id for n in (0, 4, 7, 11)]
    assert batches[0].samples.shape == (3, 2400)
    np.testing.assert_allclose(batches[0].samples[0], load_audio(lengthened[0].audio, rate=RATE)[:2400])
    assert all(torch.equal(a.samples, b.samples) for a, b in zip(batches, dev, strict=True))
