"""The feed-forward network: up, activation, down."""

import torch
import torch.nn.functional as F

from speech.nn.feed_forward import FeedForward


@torch.no_grad()
def test_feed_forward_activates_between_two_linear_layers():
    layer = FeedForward(2, 4, F.relu).eval()
    layer.up.weight.copy_(torch.cat([torch.eye(2), -torch.eye(2)]))  # x and -x
    layer.up.bias.zero_()
    layer.down.weight.copy_(torch.cat([torch.eye(2), torch.eye(2)], dim=1))
    layer.down.bias.copy_(torch.tensor([0.0, 10.0]))
    x = torch.randn(2, 3, 2)
    assert torch.equal(layer(x), x.abs() + torch.tensor([0.0, 10.0]))


@torch.no_grad()
def test_feed_forward_drops_hidden_values_in_training_only():
    layer, x = FeedForward(4, 8, F.silu, dropout=0.999999), torch.randn(2, 3, 4)
    assert torch.equal(layer.train()(x), layer.down.bias.expand(2, 3, 4))
    assert not torch.equal(layer.eval()(x), layer.down.bias.expand(2, 3, 4))
