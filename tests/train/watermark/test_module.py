"""The training step: the same for the same seed, other for another, and everything is trained by it."""

import pytest
import torch

from speech.train.codec.batches import padded
from speech.train.watermark.attacks import Draw
from speech.train.watermark.module import WatermarkModule
from tests.changes import changed
from tests.tiny_watermark import tiny_watermark
from tests.train.watermark.corpus import tiny


@pytest.fixture
def module(tmp_path) -> WatermarkModule:
    return WatermarkModule(tiny_watermark(), tiny(tmp_path, tmp_path / "run"))


def batch():
    generator = torch.Generator().manual_seed(0)
    rows = [0.1 * torch.randn(count, generator=generator).numpy() for count in (8000, 6000, 8000)]
    return padded([(f"u{n}", row) for n, row in enumerate(rows)], [], 8000)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_step_depends_on_its_generator_alone(module):
    first, again, other = (module.loss(batch(), seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dev_is_always_the_same(module):
    first, parts = module.loss(batch(), None)
    module.loss(batch(), seeded(4))
    assert torch.equal(first, module.loss(batch(), None)[0])
    assert set(parts) == {"presence", "bits", "frames_right", "bits_right", "mel", "stft", "loudness", "snr"}


def test_both_networks_are_trained_by_each_loss_of_detection(module):
    for kept, dropped in (("presence", "bits"), ("bits", "presence")):
        silent = {f"watermark_loss.{name}": 0.0 for name in ("mel", "stft", "loudness")}
        config = changed(module.config, silent | {f"watermark_loss.{dropped}": 1e-9, "placement.unmarked": 0.0})
        own = WatermarkModule(tiny_watermark(), config)
        own.loss(batch(), seeded(1))[0].backward()
        for network in (own.watermark.generator, own.watermark.detector):
            total = sum(float(p.grad.abs().sum()) for p in network.parameters())
            assert total > 1e-3, kept


def test_the_weight_of_a_loss_counts(module):
    loud = WatermarkModule(
        tiny_watermark(), changed(module.config, {"watermark_loss.stft": 5.0, "watermark_loss.loudness_db": 30.0})
    )
    plain, more = module.loss(batch(), seeded(1)), loud.loss(batch(), seeded(1))
    assert more[1]["presence"] == plain[1]["presence"]
    assert more[0] > plain[0] + 4.5 * plain[1]["stft"]


def test_padding_does_not_count(module):
    """What a detector says of padding changes no loss."""
    found = []
    for loud in (0.0, 0.5):
        own = batch()
        own.samples[1, 6000:] = loud
        config = changed(module.config, {"attacks.share": 0.0, "placement.unmarked": 1.0})
        kept = WatermarkModule(tiny_watermark(), config)
        heard = kept._attacked(own.samples, own, Draw(seeded(1)))
        found.append(heard.counts)
        assert not heard.counts[1, 75:].any()
        assert heard.counts[1, :75].all()
    assert torch.equal(*found)
