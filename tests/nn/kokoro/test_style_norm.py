"""Normalisation by a style, and within each row."""

import torch
import torch.nn.functional as F

from speech.nn.kokoro.masks import frame_mask
from speech.nn.kokoro.style_norm import AdaptiveInstanceNorm, AdaptiveLayerNorm
from tests.nn.kokoro.rows import LENGTHS, STYLE_DIM, check_rows, rows, styles


@torch.no_grad()
def test_instances_are_normalised_over_their_own_frames():
    torch.manual_seed(0)
    layer, style = AdaptiveInstanceNorm(STYLE_DIM, 5), styles()
    x, lengths = rows(5, garbage=9.0)

    def alone(n):
        own = x[n : n + 1, :, : LENGTHS[n]]
        normal = (own - own.mean(2, keepdim=True)) / (own.var(2, keepdim=True, correction=0) + 1e-5).sqrt()
        scale, shift = (style[n : n + 1] @ layer.linear.weight.T + layer.linear.bias)[..., None].chunk(2, dim=1)
        return normal * (1 + scale) + shift

    check_rows(layer(x, style, frame_mask(lengths, 7)), alone)
    whole = layer(x[:1], style[:1], None)
    torch.testing.assert_close(whole, alone(0), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_layers_are_normalised_over_their_channels():
    torch.manual_seed(0)
    layer, style = AdaptiveLayerNorm(STYLE_DIM, 5), styles()
    x = torch.randn(3, 7, 5)
    scale, shift = layer.linear(style)[:, None].split(5, dim=2)
    torch.testing.assert_close(layer(x, style), F.layer_norm(x, [5]) * (1 + scale) + shift)
    assert not torch.equal(layer(x, style)[0], layer(x, style.flip(0))[0])
