import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from speech.errors import ConfigError
from speech.metrics.latency import Emission, differentiable_average_lagging
from speech.translate.emma import (
    Emma,
    delay_variance,
    expected_alignment,
    expected_delay,
    expected_lagging,
    infinite_lookback_attention,
    with_rest_at_end,
)
from speech.translate.policy import TranslationDraft

REGIMES = {"middling": (0.0, 1.0), "sharp": (-3.0, 12.0), "near one": (3.0, 1.5), "long": (-3.0, 0.7)}
"""Mean and deviation of the logits of p."""


def probabilities(regime: str, tokens=20, frames=120) -> torch.Tensor:
    mean, deviation = REGIMES[regime]
    logits = torch.randn(3, tokens, frames, generator=torch.Generator().manual_seed(0)) * deviation + mean
    return logits.sigmoid()


def by_definition(p: np.ndarray) -> np.ndarray:
    """The dynamic programme in float64: from where the token before was written, wait or write."""
    alpha = np.zeros(p.shape)
    before = np.zeros(p.shape[1])
    before[0] = 1.0
    for i, row in enumerate(p):
        arriving = 0.0
        for j, chance in enumerate(row):
            arriving += before[j]
            alpha[i, j] = arriving * chance
            arriving *= 1.0 - chance
        before = alpha[i]
    return alpha


def by_cumulative_products(p: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Raffel et al. 2017, with the clamp that keeps the division finite."""
    before = torch.zeros(p.shape[-1])
    before[0] = 1.0
    rows = []
    for row in p:
        reading = torch.cat([torch.ones(1), (1.0 - row[:-1]).cumprod(0)])
        before = (row * reading * (before / reading.clamp(eps, 1.0)).cumsum(0)).clamp(0.0, 1.0)
        rows.append(before)
    return torch.stack(rows)


@pytest.mark.parametrize("regime", REGIMES)
def test_the_alignment_is_exact_in_every_regime(regime):
    p = probabilities(regime)
    exact = np.stack([by_definition(one) for one in p.double().numpy()])
    assert np.abs(expected_alignment(p).numpy() - exact).max() < 1e-6


@pytest.mark.parametrize("regime", ["middling", "sharp", "near one"])
def test_the_form_with_cumulative_products_loses_mass(regime):
    p = probabilities(regime)[0]
    exact = by_definition(p.double().numpy())
    lost = 1.0 - float(by_cumulative_products(p)[-1].sum()) / exact[-1].sum()
    assert lost > 0.1
    assert float(expected_alignment(p)[-1].sum()) == pytest.approx(exact[-1].sum(), abs=1e-6)


def test_gradients_are_those_of_the_formula():
    p = torch.rand(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    scores = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert gradcheck(expected_alignment, (p,))
    assert gradcheck(lambda p, e: infinite_lookback_attention(expected_alignment(p), e), (p, scores))


def test_where_p_is_one_or_zero_gradients_are_finite():
    p = torch.tensor([[[0.0, 1.0, 0.0, 1.0]] * 3], requires_grad=True)
    alpha = with_rest_at_end(expected_alignment(p))
    (expected_delay(alpha).sum() + delay_variance(alpha).sum()).backward()
    assert p.grad is not None
    assert bool(p.grad.isfinite().all())


def test_lookback_attention_is_the_expected_softmax():
    p, scores = probabilities("middling", 4, 6)[0], torch.randn(4, 6, generator=torch.Generator().manual_seed(3))
    alpha = expected_alignment(p)
    beta = infinite_lookback_attention(alpha, scores)
    wanted = torch.zeros_like(alpha)
    for k in range(6):
        wanted[:, : k + 1] += alpha[:, k, None] * scores[:, : k + 1].softmax(dim=-1)
    assert torch.allclose(beta, wanted, atol=1e-6)
    assert torch.allclose(beta.sum(-1), alpha.sum(-1), atol=1e-6)


def test_the_rest_is_written_at_the_end():
    alpha = with_rest_at_end(expected_alignment(probabilities("long", 8, 20)))
    assert torch.allclose(alpha.sum(-1), torch.ones(3, 8), atol=1e-6)
    assert bool((alpha >= 0).all())


def test_delay_and_its_variance_of_a_known_alignment():
    alpha = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.5]])
    assert expected_delay(alpha).tolist() == [2.0, 3.0]
    assert delay_variance(alpha).tolist() == [0.0, 1.0]


def test_lagging_is_the_measure_that_scores_use():
    delays = torch.tensor([[2.0, 2.0, 7.0, 8.0], [1.0, 6.0, 0.0, 0.0]])
    found = expected_lagging(delays, torch.tensor([8, 6]), torch.tensor([4, 2]))
    wanted = [
        differentiable_average_lagging(Emission((2.0, 2.0, 7.0, 8.0), 8.0, 4)),
        differentiable_average_lagging(Emission((1.0, 6.0), 6.0, 2)),
    ]
    assert found.tolist() == pytest.approx(wanted)


def test_the_policy_writes_while_the_probability_is_high():
    draft = TranslationDraft(3.0, (1, 2, 3, 4), (b" on",) * 4, write=(0.9, 0.6, 0.4, 0.9))
    assert Emma(threshold=0.5).decide([draft]) == 2
    assert Emma(threshold=0.7).decide([draft]) == 1
    assert Emma(threshold=0.3).decide([draft]) == 3  # the last word may change


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_that_decides_nothing_is_refused(threshold):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Emma(threshold=threshold)
