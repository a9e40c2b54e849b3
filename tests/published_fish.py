"""The published codec of Fish-Speech with random weights, in a small shape: its tensors by name, and its formulas,
written on `(channels, time)` with torch's own convolutions."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speech.models.fish_codec import FishCodecConfig
from speech.nn.codec.gfsq import GfsqConfig
from speech.nn.codec.hifi_gan import HifiGanConfig

CODEC = FishCodecConfig(
    sample_rate=8000,
    hop=16,
    n_fft=64,
    n_mels=12,
    depths=[1, 2],
    dims=[8, 12],
    quantizer=GfsqConfig(groups=3, bounds=2),
    hifi_gan=HifiGanConfig(channels=16, rates=[4, 2, 2], kernels=[3, 5], dilations=[1, 3]),
)


def codec_shapes(config: FishCodecConfig) -> dict[str, tuple[int, ...]]:
    """Published name -> shape; weight normalisation as lengths and directions."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *weight: int, bias: int | None = None) -> None:
        shapes[f"{name}.weight"] = weight
        shapes[f"{name}.bias"] = (weight[0] if bias is None else bias,)

    def normed(name: str, *weight: int, bias: int | None = None) -> None:
        shapes[f"{name}.bias"] = (weight[0] if bias is None else bias,)
        shapes[f"{name}.parametrizations.weight.original0"] = (weight[0], 1, 1)
        shapes[f"{name}.parametrizations.weight.original1"] = weight

    def block(name: str, dim: int, kernel: int = 7) -> None:
        shapes[f"{name}.gamma"] = (dim,)
        layer(f"{name}.dwconv.conv", dim, 1, kernel)
        layer(f"{name}.norm", dim)
        layer(f"{name}.pwconv1", 4 * dim, dim)
        layer(f"{name}.pwconv2", dim, 4 * dim)

    dims, dim = config.dims, config.dims[-1]
    layer("backbone.downsample_layers.0.0.conv", dims[0], config.n_mels, 7)
    layer("backbone.downsample_layers.0.1", dims[0])
    for stage in range(1, len(dims)):
        layer(f"backbone.downsample_layers.{stage}.0", dims[stage - 1])
        layer(f"backbone.downsample_layers.{stage}.1", dims[stage], dims[stage - 1], 1)
    for stage, depth in enumerate(config.depths):
        for place in range(depth):
            block(f"backbone.stages.{stage}.{place}", dims[stage], config.kernel)
    layer("backbone.norm", dim)
    for place, factor in enumerate(config.factors):
        for end in ("downsample", "upsample"):
            layer(f"quantizer.{end}.{place}.0.conv", dim, dim, factor)
            block(f"quantizer.{end}.{place}.1", dim)
    width, digits = dim // config.quantizer.groups, len(config.quantizer.levels)
    for group in range(config.quantizer.groups):
        layer(f"quantizer.residual_fsq.rvqs.{group}.project_in", digits, width)
        layer(f"quantizer.residual_fsq.rvqs.{group}.project_out", width, digits)
    channels = config.hifi_gan.channels
    normed("head.conv_pre.conv", channels, dim, 13)
    for stage, rate in enumerate(config.hifi_gan.rates):
        normed(f"head.ups.{stage}.conv", channels, channels // 2, 2 * rate, bias=channels // 2)
        channels //= 2
        for place, kernel in enumerate(config.hifi_gan.kernels):
            for convs in (1, 2):
                for dilation in range(len(config.hifi_gan.dilations)):
                    name = f"head.resblocks.{stage}.blocks.{place}.convs{convs}.{dilation}.conv"
                    normed(name, channels, channels, kernel)
    normed("head.conv_post.conv", 1, channels, 13)
    return shapes


def codec_tensors(config: FishCodecConfig = CODEC, seed: int = 0) -> dict[str, Tensor]:
    """Random tensors that make codes of all kinds, and samples that are neither silent nor clipped."""
    generator, found = torch.Generator().manual_seed(seed), {}
    for name, shape in codec_shapes(config).items():
        noise = torch.randn(shape, generator=generator)
        if name.endswith("original0"):
            found[name] = 1 + 0.2 * noise.abs()
        elif name.endswith((".gamma", ".bias")):
            found[name] = 0.1 * noise
        elif len(shape) == 1:
            found[name] = 1 + 0.1 * noise
        else:
            found[name] = noise * (2 if "project_in" in name else 1) / math.sqrt(noise[0].numel())
    return found


class PublishedCodec:
    """The published formulas over published tensors, for one utterance at a time.

    Args:
        tensors: by published name.
        config: shape.
    """

    def __init__(self, tensors: dict[str, Tensor], config: FishCodecConfig = CODEC) -> None:
        self.config, self.tensors = config, dict(tensors)
        for key in [key for key in tensors if key.endswith("original0")]:
            name = key.removesuffix(".parametrizations.weight.original0")
            direction = tensors[f"{name}.parametrizations.weight.original1"]
            norm = direction.flatten(1).norm(dim=1)[:, None, None]
            self.tensors[f"{name}.weight"] = tensors[key] * direction / norm

    def log_mel(self, samples: np.ndarray, filters: np.ndarray) -> np.ndarray:
        """`(n_mels, frames)` of `samples (n,)`."""
        config = self.config
        side = (config.n_fft - config.hop) // 2
        padded = np.pad(samples, side, mode="reflect")
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.n_fft) / config.n_fft)
        starts = range(0, len(padded) - config.n_fft + 1, config.hop)
        spectra = np.stack([np.fft.rfft(padded[start : start + config.n_fft] * window) for start in starts], axis=1)
        magnitudes = np.sqrt(np.abs(spectra) ** 2 + 1e-6)
        return np.log(np.maximum(filters.T @ magnitudes, 1e-5))

    def conv(self, x: Tensor, name: str, *, stride: int = 1, dilation: int = 1, groups: int = 1) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        left = (weight.shape[2] - 1) * dilation + 1 - stride
        x = F.pad(x, (left, -x.shape[1] % stride))
        return F.conv1d(x[None], weight, bias, stride, 0, dilation, groups)[0]

    def transposed(self, x: Tensor, name: str, stride: int) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.conv_transpose1d(x[None], weight, bias, stride)[0, :, : x.shape[1] * stride]

    def norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.layer_norm(x.T, weight.shape, weight, bias, 1e-6).T

    def linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return (x.T @ weight.flatten(1).T + bias).T

    def block(self, x: Tensor, name: str) -> Tensor:
        y = self.norm(self.conv(x, f"{name}.dwconv.conv", groups=len(x)), f"{name}.norm")
        y = self.linear(F.gelu(self.linear(y, f"{name}.pwconv1")), f"{name}.pwconv2")
        return x + self.tensors[f"{name}.gamma"][:, None] * y

    def backbone(self, x: Tensor) -> Tensor:
        for stage, depth in enumerate(self.config.depths):
            name = f"backbone.downsample_layers.{stage}"
            if stage == 0:
                x = self.norm(self.conv(x, f"{name}.0.conv"), f"{name}.1")
            else:
                x = self.linear(self.norm(x, f"{name}.0"), f"{name}.1")
            for place in range(depth):
                x = self.block(x, f"backbone.stages.{stage}.{place}")
        return self.norm(x, "backbone.norm")

    def codes(self, features: Tensor) -> Tensor:
        """`(groups, frames)` of log-mel features `(n_mels, time)`."""
        x = self.backbone(features)
        for place, factor in enumerate(self.config.factors):
            name = f"quantizer.downsample.{place}"
            x = self.block(self.conv(x, f"{name}.0.conv", stride=factor), f"{name}.1")
        levels = torch.tensor(self.config.quantizer.levels)[:, None]
        half, offset = (levels - 1) * 1.001 / 2, torch.where(levels % 2 == 0, 0.5, 0.0)
        steps = torch.tensor([1, *self.config.quantizer.levels[:-1]]).cumprod(0)[:, None]
        found = []
        for group, own in enumerate(x.chunk(self.config.quantizer.groups)):
            z = self.linear(own, f"quantizer.residual_fsq.rvqs.{group}.project_in")
            for _ in range(2):
                z = torch.tanh(z + torch.atanh(offset / half)) * half - offset
            found.append(((z.round() + levels // 2) * steps).sum(dim=0).long())
        return torch.stack(found)

    def samples(self, codes: Tensor) -> Tensor:
        """`(n,)` of codes `(groups, frames)`."""
        parts = []
        for group, own in enumerate(codes):
            digits, rest = [], own
            for level in self.config.quantizer.levels:
                digits.append((rest % level - level // 2) / (level // 2))
                rest = rest // level
            parts.append(self.linear(torch.stack(digits), f"quantizer.residual_fsq.rvqs.{group}.project_out"))
        x = torch.cat(parts)
        for place, factor in enumerate(reversed(self.config.factors)):
            name = f"quantizer.upsample.{place}"
            x = self.block(self.transposed(x, f"{name}.0.conv", factor), f"{name}.1")
        return self.head(x)

    def head(self, x: Tensor) -> Tensor:
        shape = self.config.hifi_gan
        x = self.conv(x, "head.conv_pre.conv")
        for stage, rate in enumerate(shape.rates):
            x = self.transposed(F.silu(x), f"head.ups.{stage}.conv", rate)
            total = torch.zeros_like(x)
            for kernel in range(len(shape.kernels)):
                y = x
                for place, dilation in enumerate(shape.dilations):
                    name = f"head.resblocks.{stage}.blocks.{kernel}"
                    z = self.conv(F.silu(y), f"{name}.convs1.{place}.conv", dilation=dilation)
                    y = y + self.conv(F.silu(z), f"{name}.convs2.{place}.conv", dilation=dilation)
                total = total + y
            x = total / len(shape.kernels)
        return torch.tanh(self.conv(F.silu(x), "head.conv_post.conv"))[0]
