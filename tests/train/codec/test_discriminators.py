"""Discriminators: what they see, what their losses are worth, and that they can learn."""

import pytest
import torch

from speech.train.codec.config import DiscriminatorConfig
from speech.train.codec.discriminators import (
    Discriminators,
    PeriodDiscriminator,
    ResolutionDiscriminator,
    Verdict,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)


def small() -> Discriminators:
    torch.manual_seed(0)
    return Discriminators(DiscriminatorConfig(periods=[2, 3], period_channels=4, n_ffts=[64], channels=4))


def test_a_period_lies_in_a_column():
    picture = PeriodDiscriminator(3, 2).picture(torch.arange(1.0, 9.0)[None])
    assert picture[0, 0].tolist() == [[10, 20, 30], [40, 50, 60], [70, 80, 0]]


def test_a_spectrum_has_real_and_imaginary_parts():
    samples = torch.randn(2, 320)
    picture = ResolutionDiscriminator(64, 2).picture(samples)
    assert picture.shape == (2, 2, 21, 33)
    spectrum = torch.fft.rfft(torch.nn.functional.pad(samples, (32, 32))[:, 16:80] * torch.hann_window(64)) / 8
    compressed = torch.polar((spectrum.abs().square() + 1e-6) ** 0.15, spectrum.angle())
    torch.testing.assert_close(picture[:, 0, 1], compressed.real, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(picture[:, 1, 1], compressed.imag, atol=2e-3, rtol=1e-3)


def test_silence_has_a_gradient():
    samples = torch.zeros(1, 320, requires_grad=True)
    ResolutionDiscriminator(64, 2)(samples).logits.sum().backward()
    assert bool(samples.grad.isfinite().all())


def test_there_is_a_verdict_of_each():
    verdicts = small()(torch.randn(2, 400))
    assert [len(verdict.features) for verdict in verdicts] == [4, 4, 4]
    assert all(verdict.logits.shape[:2] == (2, 1) for verdict in verdicts)


def verdict(logit: float, feature: float) -> Verdict:
    return Verdict(torch.full((1, 1, 2, 2), float(logit)), [torch.full((1, 3), float(feature), requires_grad=True)])


@pytest.mark.parametrize(
    ("real", "made", "wanted"), [(0, 0, 2.0), (1, -1, 0.0), (3, -2, 0.0), (-1, 1, 4.0), (1, 0, 1.0)]
)
def test_hinge_losses(real, made, wanted):
    assert float(discriminator_loss([verdict(real, 0)], [verdict(made, 0)])) == wanted
    assert float(adversarial_loss([verdict(made, 0), verdict(1, 0)])) == max(1 - made, 0) / 2


def test_features_are_compared_relative_to_the_real_ones():
    real, made = verdict(0, 4.0), verdict(0, 3.0)
    loss = feature_loss([real], [made])
    assert loss.item() == pytest.approx(0.25)
    loss.backward()
    assert real.features[0].grad is None
    assert made.features[0].grad is not None


def test_they_learn_to_tell_noise_from_a_tone():
    judges = small()
    optimizer = torch.optim.AdamW(judges.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(40):
        phases = 6 * torch.rand(4, 1, generator=generator)
        real = torch.sin(0.3 * torch.arange(400) + phases)
        made = 0.7 * torch.randn(4, 400, generator=generator)
        loss = discriminator_loss(judges(real), judges(made))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 < 1.5 < losses[0]
    assert bool(adversarial_loss(judges(real)) < adversarial_loss(judges(made)))
