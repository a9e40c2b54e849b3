"""The balance of losses: the scale of a loss does not matter, its share does."""

import pytest
import torch

from speech.train.codec.balancer import GradientBalancer


def balance(shares: dict[str, float], scales: dict[str, float], balancer: GradientBalancer | None = None):
    """Gradient by losses that pull at one sample each, and the balancer."""
    samples = torch.zeros(2, 4, requires_grad=True)
    losses = {name: scale * samples[:, place].sum() for place, (name, scale) in enumerate(scales.items())}
    balancer = balancer or GradientBalancer(shares)
    return balancer(losses, samples), balancer


def test_each_loss_has_its_share_whatever_its_scale():
    found, _ = balance({"a": 1.0, "b": 3.0}, {"a": 1e4, "b": -1e-3})
    torch.testing.assert_close(found, torch.tensor([[0.25, -0.75, 0, 0]] * 2))


def test_shares_are_of_what_is_there_and_a_share_of_nothing_is_not_computed():
    found, _ = balance({"a": 1.0, "b": 3.0, "c": 0.0}, {"b": 2.0, "c": 5.0})
    torch.testing.assert_close(found, torch.tensor([[1.0, 0, 0, 0]] * 2))


def test_norms_are_running_means_of_a_row():
    _, balancer = balance({"a": 1.0}, {"a": 2.0})
    found, _ = balance({}, {"a": 4.0}, balancer)
    mean = (2.0 * 0.99 + 4.0) / (0.99 + 1)
    torch.testing.assert_close(found[:, 0], torch.full((2,), 4.0 / mean))


def test_a_restored_balancer_goes_on_as_the_first():
    _, first = balance({"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0})
    second = GradientBalancer({"a": 1.0, "b": 1.0})
    second.load_state_dict(first.state_dict())
    scales = {"a": 1.0, "b": 7.0}
    assert torch.equal(balance({}, scales, first)[0], balance({}, scales, second)[0])


def test_a_loss_without_a_gradient_adds_nothing():
    found, _ = balance({"a": 1.0, "b": 1.0}, {"a": 0.0, "b": 2.0})
    assert found[:, 0].tolist() == [0.0, 0.0]
    assert found[0, 1] == pytest.approx(0.5)
