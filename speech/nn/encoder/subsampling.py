"""Convolutional subsampling of log-mel frames. Offline and streaming encoding share the same `window`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UNKNOWN_END = 1 << 60
"""Number of feature frames of a stream that has not ended."""


class Subsampling(nn.Module):
    """Base class: encoder frame `j` depends on feature frames `factor * j - left .. factor * j + right`."""

    factor: int
    left: int
    right: int

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Number of encoder frames for `lengths (batch,)` feature frames."""
        raise NotImplementedError

    def window(self, features: Tensor, start: Tensor, total: Tensor) -> Tensor:
        """Compute the encoder frames of one window of features.

        Args:
            features: `(batch, factor * (n - 1) + left + right + 1, bins)`.
            start: `(batch,)` index of the first feature frame, negative before the start of the stream.
            total: `(batch,)` feature frames of the whole stream, `UNKNOWN_END` until it ends.

        Returns:
            `(batch, n, dim)`.
        """
        raise NotImplementedError

    def span(self, frames: int) -> int:
        """Feature frames that a window of `frames` encoder frames needs."""
        return self.factor * (frames - 1) + self.left + self.right + 1

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(batch, T, bins)` and lengths `(batch,)` to frames `(batch, T', dim)` and lengths `(batch,)`."""
        output_lengths = self.output_lengths(lengths)
        frames = max(int(output_lengths.max()), 1)
        missing = self.span(frames) - self.left - features.shape[1]
        padded = F.pad(features, (0, 0, self.left, missing))  # (batch, span(T'), bins)
        return self.window(padded, torch.full_like(lengths, -self.left), lengths), output_lengths


class WhisperConvolutions(Subsampling):
    """Whisper's two convolutions, from 100 Hz to 50 Hz (Radford et al. 2022, section 2.2)."""

    factor, left, right = 2, 2, 2

    def __init__(self, bins: int, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(bins, dim, 3)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=2)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2

    def window(self, features: Tensor, start: Tensor, total: Tensor) -> Tensor:
        index = start[:, None] + torch.arange(features.shape[1], device=features.device)  # (batch, time)
        real = ((index >= 0) & (index < total[:, None]))[..., None]  # Whisper pads both convolutions with zeros
        x = F.gelu(_convolve(features * real, self.conv1)) * real[:, 1:-1]  # (batch, time - 2, dim)
        return F.gelu(_convolve(x, self.conv2))  # (batch, n, dim)


def _convolve(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """Unpadded convolution of kernel 3 over `(batch, time, channels)` as matrix products.

    It gives the same values as `conv` without transposes, and is hundreds of times faster in bfloat16 on CPUs. Float32
    inference on a CPU uses one product per tap and `_CHANNELS` channels: MKL splits longer sums among its threads, and
    results would depend on the number of threads. All other cases use one product.
    """
    stride = conv.stride[0]
    count = (x.shape[1] - 3) // stride + 1
    taps = [x[:, k : k + (count - 1) * stride + 1 : stride] for k in range(3)]  # (batch, count, channels) each
    if torch.is_grad_enabled() or x.dtype != torch.float32 or x.device.type != "cpu":
        return F.linear(torch.cat(taps, dim=-1), conv.weight.transpose(1, 2).flatten(1), conv.bias)
    weights = conv.weight.unbind(2)  # (out, in) for each tap
    parts = [
        F.linear(piece, weight)
        for tap, whole in zip(taps, weights, strict=True)
        for piece, weight in zip(tap.split(_CHANNELS, dim=-1), whole.split(_CHANNELS, dim=1), strict=True)
    ]
    y = parts[0]
    for part in parts[1:]:
        y += part
    return y if conv.bias is None else y.add_(conv.bias)


_CHANNELS = 512
"""Channels summed in one product; MKL splits sums of 1,536 and 2,048, but not of 512."""


class StridedConvolution(nn.Module):
    """Unpadded 3 x 3 convolution, stride 2: `(batch, time, bins, channels)` to `(batch, time', bins', dim)`.

    The weights are those of a linear layer over patches (time, bins, channels). Inference on a CPU applies the linear
    layer to tiles of patches, so that packed or int8 layers make it faster; training and GPUs use a convolution.
    """

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(9 * channels, dim)

    def forward(self, x: Tensor) -> Tensor:
        if type(self.linear) is nn.Linear and (torch.is_grad_enabled() or x.device.type != "cpu"):
            weight = self.linear.weight.unflatten(1, (3, 3, -1)).permute(0, 3, 1, 2)
            return F.conv2d(x.permute(0, 3, 1, 2), weight, self.linear.bias, stride=2).permute(0, 2, 3, 1)
        patches = x.unfold(1, 3, 2).unfold(2, 3, 2).permute(0, 1, 2, 4, 5, 3)  # (batch, time', bins', 3, 3, channels)
        tiles = patches.split(max(_PATCHES // (patches[:, :1].numel() or 1), 1), dim=1)
        return torch.cat([self.linear(tile.flatten(3)) for tile in tiles], dim=1)


_PATCHES = 1 << 22
"""Maximum values of patches held at once (16 MB); larger blocks cost page faults, see `ctc.py`."""


class Conv2dSubsampling8(Subsampling):
    """Three strided convolutions over time and frequency, as in the published OWSM-CTC (conv2d8)."""

    factor, left, right = 8, 0, 14

    def __init__(self, bins: int, dim: int) -> None:
        super().__init__()
        self.conv = nn.ModuleList([StridedConvolution(1 if i == 0 else dim, dim) for i in range(3)])
        for _ in range(3):
            bins = (bins - 1) // 2
        self.out = nn.Linear(bins * dim, dim)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        for _ in range(3):
            lengths = (lengths - 1) // 2
        return lengths.clamp(min=0)

    def window(self, features: Tensor, start: Tensor, total: Tensor) -> Tensor:
        x = features[..., None]  # (batch, time, bins, 1)
        for conv in self.conv:
            x = F.relu(conv(x), inplace=True)  # (batch, time / 2, bins / 2, dim), rounded down, each time
        return self.out(x.flatten(2))  # (batch, n, dim)


class PairReduction(nn.Module):
    """Merge pairs of neighbouring frames. Initialised as their mean, so that pretrained layers above still work."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * dim, dim)
        with torch.no_grad():
            self.linear.bias.zero_()
            self.linear.weight.copy_(torch.cat([torch.eye(dim), torch.eye(dim)], dim=1) / 2)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, 2 n, dim)` to `(batch, n, dim)`."""
        return self.linear(x.unflatten(1, (-1, 2)).flatten(2))
