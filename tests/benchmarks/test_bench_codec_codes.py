"""The comparison of quantisers: each is trained and measured, and they are of one size."""

import math

import pytest
from codec_codes import QUANTIZERS, compare, table

from speech.data.manifest import read_manifest
from speech.models.codec import CodecConfig
from speech.train.codec.config import CodecLossConfig, CropConfig
from tests.tiny_codec import SHAPE
from tests.train.codec.corpus import spoken

__all__ = ["spoken"]  # fixtures


def test_all_quantisers_have_eight_codes_of_ten_bits():
    config = CodecConfig()
    made = [build(config) for build in QUANTIZERS.values()]
    assert {quantizer.codebooks for quantizer in made} == {8}
    assert {round(math.log2(quantizer.codebook_size), 1) for quantizer in made} == {10.0}


def test_each_is_trained_and_measured(spoken):
    utterances = {part: read_manifest(spoken / f"{part}.jsonl") for part in ("train", "dev")}
    crops, losses = CropConfig(epoch=2, rows=1, crop_s=0.25, dev_rows=3), CodecLossConfig(n_ffts=[64], n_mels=[8])
    said: list[str] = []
    found = compare(utterances, CodecConfig(**SHAPE), crops, losses, steps=2, lr=1e-3, said=said.append)
    assert list(found) == list(QUANTIZERS)
    assert len(said) == len(found)
    for row in found.values():
        assert row["dev_frames"] == 3 * 51  # of 4,000 samples each
        assert 0 < row["least_used"] <= row["used"] <= 51 * 3 / 1000
        assert 1 <= row["perplexity"] <= row["used"] * row["size"] + 1e-6
        assert row["mel"] > 0
    assert len({row["mel"] for row in found.values()}) >= 5  # nothing is restarted within two steps
    assert table(found).row_count == len(found)


def test_the_same_seed_gives_the_same_figures(spoken, monkeypatch):
    utterances = {part: read_manifest(spoken / f"{part}.jsonl") for part in ("train", "dev")}
    crops, losses = CropConfig(epoch=2, rows=2, crop_s=0.25, dev_rows=2), CodecLossConfig(n_ffts=[64], n_mels=[8])
    monkeypatch.setattr("codec_codes.QUANTIZERS", dict(list(QUANTIZERS.items())[3:4]))
    first, second = (
        compare(utterances, CodecConfig(**SHAPE), crops, losses, steps=2, lr=1e-3, said=lambda _: None)
        for _ in range(2)
    )
    (before,), (after,) = first.values(), second.values()
    assert before.pop("seconds") > 0
    assert after.pop("seconds") > 0
    assert before == pytest.approx(after)
