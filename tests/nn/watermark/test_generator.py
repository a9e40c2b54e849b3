"""The generator: its limits, its delay, and that streams are marked as the whole is."""

import math

import pytest
import torch

from speech.nn.streaming import merge, select
from tests.nn.codec.pieces import cut, stepped
from tests.tiny_watermark import tiny_watermark

RATE = 8000


@pytest.fixture(scope="module")
def generator():
    return tiny_watermark().generator


def speechlike(count: int, seed: int = 0, batch: int = 2) -> torch.Tensor:
    """Noise whose level rises and falls."""
    noise = torch.randn(batch, count, generator=torch.Generator().manual_seed(seed))
    return 0.1 * noise * (1.2 + torch.sin(torch.arange(count) / 500))


def bits(batch: int = 2) -> torch.Tensor:
    return torch.randint(2, (batch, 16), generator=torch.Generator().manual_seed(3)).float()


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_length_are_marked_as_the_whole(generator, seed):
    samples = speechlike(3000, seed)
    ending = torch.zeros(2, generator.delay + 80)
    pieces = cut(torch.cat([samples, ending], dim=1), seed, longest=400)
    found = torch.cat(stepped(generator.step, generator.begin(bits()), pieces), dim=1)
    whole = generator(samples, bits())
    assert whole.shape == samples.shape
    torch.testing.assert_close(found[:, generator.delay :][:, :3000], whole, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_streams_of_different_age_share_a_batch(generator):
    samples = speechlike(2000)
    _, early = generator.step(samples[:1, :560], generator.begin(bits()[:1]))
    both = merge([early, generator.begin(bits()[1:])])
    made, after = generator.step(torch.stack([samples[0, 560:1360], samples[1, :800]]), both)
    alone, _ = generator.step(samples[:1, 560:1360], early)
    torch.testing.assert_close(made[:1], alone, atol=1e-6, rtol=0)
    assert select(after, [1]).clock.tolist() == [10]


@torch.inference_mode()
def test_without_marks_the_samples_come_back(generator):
    plain = tiny_watermark().generator
    plain.patterns.zero_()
    plain.decided.weight.zero_()
    samples = speechlike(1111)
    torch.testing.assert_close(plain(samples, bits()), samples, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_no_level_changes_by_more_than_the_limit(generator):
    """Except for the added term, which is set to zero here."""
    loud = tiny_watermark().generator
    loud.patterns.mul_(100)
    loud.decided.weight[80:].zero_()
    loud.decided.bias[80:].zero_()
    spectra = loud.log_mel.stft(speechlike(2000))
    marked, _ = loud.marked(spectra, loud.begin(bits()))
    change_db = 20 * (marked.abs() / spectra.abs().clamp(min=1e-9)).log10()
    assert change_db.abs().max() <= 1.5 + 1e-3
    assert change_db.abs().max() > 1.3


@torch.inference_mode()
def test_the_added_term_stays_below_the_level_of_its_band():
    loud = tiny_watermark().generator
    loud.patterns.zero_()
    loud.decided.weight.zero_()
    loud.decided.bias[80:] = 100.0
    spectra = loud.log_mel.stft(speechlike(2000))
    marked, _ = loud.marked(spectra, loud.begin(bits()))
    most = 0.1 * (spectra.abs() @ loud.log_mel.filters * loud.mean) @ loud.spread
    difference = (marked - spectra).abs()
    assert (difference <= most * (1 + 1e-3) + 1e-6).all()
    assert difference[..., 20].min() > 0.99 * most[..., 20].min()


@torch.inference_mode()
def test_later_samples_change_nothing_that_was_returned(generator):
    samples = speechlike(1600)
    other = torch.cat([samples[:, :800], -samples[:, 800:]], dim=1)
    before, after = (generator.step(x, generator.begin(bits()))[0] for x in (samples, other))
    torch.testing.assert_close(before[:, :800], after[:, :800], atol=1e-6, rtol=0)
    assert not torch.allclose(before[:, 1000:], after[:, 1000:], atol=1e-3)


@torch.inference_mode()
def test_another_message_is_another_mark(generator):
    samples = speechlike(2000)
    marked, other = (generator(samples, b) for b in (bits(), 1 - bits()))
    assert (marked - other).abs().max() > 1e-4
    ratio = samples.square().sum() / (marked - samples).square().sum()
    assert 10 < 10 * math.log10(ratio) < 40


def test_everything_is_trained(generator):
    made = tiny_watermark().generator
    made(speechlike(1500), bits()).square().mean().backward()
    assert all(p.grad is not None for p in made.parameters())
