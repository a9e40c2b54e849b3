"""A policy network: its probabilities by hand, padding that it does not hear, and what learns."""

from __future__ import annotations

import math

import pytest
import torch

from speech.errors import ConfigError
from speech.nn.policy_network import PolicyConfig, PolicyNetwork, last_group
from tests.tiny_decoder import random


def network(**changes: object) -> PolicyNetwork:
    torch.manual_seed(0)
    return PolicyNetwork(PolicyConfig(**changes), dim=8, layers=3, heads=2)


def test_there_is_a_probability_for_each_head_token_and_group_of_frames():
    net = network(pooling=4)
    keys = net.begin(random(2, 10, 8))
    p = net(1, random(2, 5, 8, seed=1), keys)
    assert p.shape == (2, 2, 5, 3)  # ceil(10 / 4)
    assert bool(((p > 0) & (p < 1)).all())
    assert net.groups(torch.tensor([1, 4, 5, 10])).tolist() == [1, 1, 2, 3]


def test_a_probability_is_that_of_the_formula():
    net = PolicyNetwork(PolicyConfig(depth=1, pooling=2, bias=-0.25, temperature=0.5), dim=2, layers=1, heads=1)
    with torch.no_grad():
        for mlp in (*net.queries, *net.keys):
            mlp[0].weight.copy_(torch.eye(2))
            mlp[0].bias.zero_()
    frames = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [0.0, 5.0]]])  # groups (2, 1) and (0, 5)
    p = net(0, torch.tensor([[[1.0, -1.0]]]), net.begin(frames))
    energies = [(2.0 - 1.0) / math.sqrt(2), -5.0 / math.sqrt(2)]
    wanted = [1 / (1 + math.exp(-(energy - 0.25) / 0.5)) for energy in energies]
    assert p[0, 0, 0].tolist() == pytest.approx(wanted, rel=1e-5)


def test_padding_changes_nothing_and_has_no_probability():
    net, frames, x = network(pooling=4), random(1, 6, 8), random(1, 5, 8, seed=1)
    alone = net(0, x, net.begin(frames))
    padded = torch.cat([frames, 100 * random(1, 9, 8, seed=2)], dim=1)
    p = net(0, x, net.begin(padded, torch.tensor([6])))
    torch.testing.assert_close(p[..., :2], alone)
    assert p.shape[-1] == 4
    assert not p[..., 2:].any()


def test_all_parameters_learn_and_layers_share_them_or_not():
    for shared, sets in ((True, 1), (False, 3)):
        net = network(shared=shared)
        keys = net.begin(random(2, 10, 8))
        sum(net(layer, random(2, 5, 8, seed=1), keys).square().sum() for layer in range(3)).backward()
        assert all(bool((parameter.grad != 0).any()) for parameter in net.parameters())
        assert len(net.queries) == len(net.keys) == len(net.bias) == sets
        same = torch.equal(net(0, random(2, 5, 8), keys), net(2, random(2, 5, 8), keys))
        assert same == shared


def test_at_first_it_waits():
    p = network(bias=-0.5)(0, torch.zeros(1, 1, 8), network().begin(torch.zeros(1, 4, 8)))
    assert float(p.detach().mean()) < 0.2
    assert PolicyConfig().bias == -0.5


def test_a_shape_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="multiple of heads"):
        PolicyNetwork(PolicyConfig(), dim=8, layers=1, heads=3)
    with pytest.raises(ConfigError, match=r"policy\.temperature 0, expected more than 0"):
        PolicyConfig(temperature=0)


def test_at_the_end_it_is_the_mean_over_layers_and_heads_at_the_last_group_that_is_heard():
    net, frames, asked = network(pooling=4), random(2, 18, 8), random(2, 3, 5, 8, seed=1)
    keys = net.begin(frames[:, :14])  # the last group has 2 frames
    wanted = torch.stack([net(layer, asked[:, layer], keys)[..., -1].mean(dim=1) for layer in range(3)]).mean(dim=0)
    torch.testing.assert_close(net.at_end(asked, frames, 14), wanted)


def test_the_last_group_is_that_of_the_frames_heard():
    frames = torch.arange(12.0).view(1, 12, 1).expand(2, -1, -1)
    found, real = last_group(frames, torch.tensor([6, 12]), 4)
    assert real.tolist() == [2, 4]
    assert found[0, :2, 0].tolist() == [4, 5]
    assert found[1, :, 0].tolist() == [8, 9, 10, 11]
