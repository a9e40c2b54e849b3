"""Learned codebooks: nearest vectors, running means, restarts, and residuals."""

import pytest
import torch

from speech.errors import ConfigError
from speech.nn.codec.vq import Codebook, CodebookConfig, GroupedVq, ResidualVq


def config(**settings: object) -> CodebookConfig:
    torch.manual_seed(0)
    return CodebookConfig(**({"codebooks": 2, "size": 5} | settings))


def test_a_frame_becomes_the_nearest_vector_and_keeps_its_gradient():
    codebook, x = Codebook(3, config(ema=False)), torch.randn(7, 3, requires_grad=True)
    found, codes, loss = codebook(x)
    distances = (x[:, None] - codebook.vectors).square().sum(dim=-1)
    assert torch.equal(codes, distances.argmin(dim=1))
    torch.testing.assert_close(found, codebook.vectors[codes])
    (gradient,) = torch.autograd.grad((found * torch.arange(3.0)).sum(), x, retain_graph=True)
    assert torch.equal(gradient, torch.arange(3.0).expand(7, -1))
    assert loss.item() == pytest.approx(1.25 * distances.amin(dim=1).mean().item() / 3, rel=1e-5)
    loss.backward()
    assert bool(codebook.vectors.grad[codes].any())


def test_running_means_follow_their_frames():
    codebook, x = Codebook(3, config(decay=0.9)), torch.randn(20, 3)
    before = codebook.vectors.detach().clone()
    _, codes, loss = codebook.train()(x)
    for code in range(5):
        own = x[codes == code]
        wanted = (0.9 * before[code] + 0.1 * own.sum(dim=0)) / (0.9 + 0.1 * len(own))
        torch.testing.assert_close(codebook.vectors[code].detach(), wanted)
    assert not codebook.vectors.requires_grad
    assert loss.item() == pytest.approx(0.25 * (x - before[codes]).square().mean().item(), rel=1e-5)
    after = codebook.vectors.detach().clone()
    codebook.eval()(x)
    assert torch.equal(codebook.vectors.detach(), after)


def test_codes_that_nothing_chooses_become_frames():
    codebook, x = Codebook(3, config(decay=0.1, restart_below=0.2)), torch.randn(20, 3) * 0.1 + 50
    codebook.train()(x)
    distances = torch.cdist(codebook.vectors.detach(), x).amin(dim=1)
    assert int((distances < 1e-4).sum()) >= 4
    without = Codebook(3, config(decay=0.1))
    without.train()(x)
    assert int((torch.cdist(without.vectors.detach(), x).amin(dim=1) > 40).sum()) == 4


def test_groups_have_codebooks_of_their_own():
    quantizer, x = GroupedVq(6, config()).eval(), torch.randn(2, 4, 6)
    found = quantizer(x)
    assert found.codes.shape == (2, 2, 4)
    for number, codebook in enumerate(quantizer.each):
        part = slice(3 * number, 3 * number + 3)
        _, codes, _ = codebook(x[..., part].flatten(0, 1))
        assert torch.equal(found.codes[:, number].flatten(), codes)
        torch.testing.assert_close(found.x[..., part], codebook.vectors[codes].view(2, 4, 3).detach())
    torch.testing.assert_close(quantizer.decode(found.codes), found.x)
    with pytest.raises(ConfigError, match="dim 7 is no multiple"):
        GroupedVq(7, config())


def test_each_codebook_takes_what_the_one_before_left():
    quantizer, x = ResidualVq(6, config()).eval(), torch.randn(2, 4, 6, requires_grad=True)
    found = quantizer(x)
    rest = x.detach()
    for number, codebook in enumerate(quantizer.each):
        nearest = torch.cdist(rest.flatten(0, 1), codebook.vectors).argmin(dim=1).view(2, 4)
        assert torch.equal(found.codes[:, number], nearest)
        rest = rest - codebook.vectors[nearest].detach()
    torch.testing.assert_close(found.x.detach(), x.detach() - rest)
    torch.testing.assert_close(quantizer.decode(found.codes), found.x)
    (gradient,) = torch.autograd.grad(found.x.sum(), x)
    assert torch.equal(gradient, torch.ones_like(x))


@pytest.mark.parametrize("made", [GroupedVq, ResidualVq])
def test_they_count_in_float32_under_autocast(made):
    quantizer, x = made(6, config()).eval(), torch.randn(1, 30, 6)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = quantizer(x)
    assert torch.equal(mixed.codes, quantizer(x).codes)
    assert (quantizer.codebooks, quantizer.codebook_size) == (2, 5)


def test_restarts_without_running_means_are_refused():
    with pytest.raises(ConfigError, match="restart_below without ema"):
        CodebookConfig(ema=False, restart_below=1.0)
