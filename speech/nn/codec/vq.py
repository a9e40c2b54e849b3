"""Quantisers with learned codebooks, to compare GFSQ with: grouped VQ and residual VQ.

A codebook learns by gradients (van den Oord et al. 2017) or as the running mean of the frames that chose each code;
then codes that are hardly chosen can be restarted as frames of the batch (Dhariwal et al. 2020; Zeghidour et al. 2021,
"SoundStream", section 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.codec.quantized import Quantized, Quantizer
from speech.ranges import check, ranged


@dataclass(kw_only=True, slots=True)
class CodebookConfig:
    """Number and kind of codebooks."""

    codebooks: int = ranged(8, least=1)
    size: int = ranged(1024, least=2)
    ema: bool = True
    """Codes are running means of their frames; otherwise they learn by gradients."""
    decay: float = ranged(0.99, least=0, below=1)
    """Factor on earlier frames per step in those means."""
    restart_below: float = ranged(0.0, least=0)
    """With `ema`: codes chosen less often per step than this, as a running mean, become frames of the batch."""
    commitment: float = ranged(0.25, least=0)
    """Weight of the distance of frames to their codes in the loss."""

    def __post_init__(self) -> None:
        check(self, "codebooks")
        if self.restart_below and not self.ema:
            raise ConfigError("codebooks: restart_below without ema", fix="Give ema=true, or restart_below=0.")


class Codebook(nn.Module):
    """One codebook over frames `(frames, dim)`; in training with `ema` each call updates it."""

    counts: Tensor
    sums: Tensor

    def __init__(self, dim: int, config: CodebookConfig) -> None:
        super().__init__()
        self.config = config
        self.vectors = nn.Parameter(torch.randn(config.size, dim), requires_grad=not config.ema)
        self.register_buffer("counts", torch.ones(config.size))
        self.register_buffer("sums", self.vectors.detach().clone())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nearest vectors `(frames, dim)` with the gradient of `x`, their codes `(frames,)`, and the loss."""
        with torch.no_grad():
            codes = torch.cdist(x, self.vectors).argmin(dim=1)
        found = self.vectors[codes]
        loss = self.config.commitment * F.mse_loss(x, found.detach())
        if not self.config.ema:
            loss = loss + F.mse_loss(found, x.detach())
        elif self.training:
            self._follow(x.detach(), codes)
        return x + (found - x).detach(), codes, loss

    @torch.no_grad()
    def _follow(self, x: Tensor, codes: Tensor) -> None:
        """Move codes towards the frames that chose them, and restart the ones that are hardly chosen."""
        decay, size = self.config.decay, self.config.size
        self.counts.mul_(decay).add_(torch.bincount(codes, minlength=size), alpha=1 - decay)
        self.sums.mul_(decay).index_add_(0, codes, x, alpha=1 - decay)
        dead = (self.counts < self.config.restart_below).nonzero().flatten()
        if len(dead):
            frames = x[torch.randint(len(x), (len(dead),), device=x.device)]
            self.counts[dead] = 1.0
            self.sums[dead] = frames
        self.vectors.copy_(self.sums / self.counts.clamp(min=1e-5)[:, None])


class GroupedVq(Quantizer):
    """A codebook for each group of channels, as many groups as codebooks.

    Raises:
        ConfigError: if `dim` is no multiple of their number.
    """

    def __init__(self, dim: int, config: CodebookConfig) -> None:
        super().__init__()
        if dim % config.codebooks:
            raise ConfigError(f"dim {dim} is no multiple of codebooks.codebooks {config.codebooks}")
        self.codebooks, self.codebook_size = config.codebooks, config.size
        self.each = nn.ModuleList(Codebook(dim // config.codebooks, config) for _ in range(config.codebooks))

    def forward(self, x: Tensor) -> Quantized:
        with torch.autocast(x.device.type, enabled=False):
            parts = x.float().flatten(0, 1).chunk(self.codebooks, dim=1)
            found = [codebook(part) for codebook, part in zip(self.each, parts, strict=True)]
        vectors, codes, losses = zip(*found, strict=True)
        frames = torch.cat(vectors, dim=1).unflatten(0, x.shape[:2]).to(x.dtype)
        return Quantized(frames, _by_frame(codes, x), torch.stack(losses).mean())

    def decode(self, codes: Tensor) -> Tensor:
        return torch.cat([vectors[own] for vectors, own in zip(_vectors(self.each), codes.unbind(1), strict=True)], -1)


class ResidualVq(Quantizer):
    """Each codebook quantises what those before it left over of all channels."""

    def __init__(self, dim: int, config: CodebookConfig) -> None:
        super().__init__()
        self.codebooks, self.codebook_size = config.codebooks, config.size
        self.each = nn.ModuleList(Codebook(dim, config) for _ in range(config.codebooks))

    def forward(self, x: Tensor) -> Quantized:
        with torch.autocast(x.device.type, enabled=False):
            frames = x.float().flatten(0, 1)
            rest, codes, losses = frames, [], []
            for codebook in self.each:
                vectors, own, loss = codebook(rest)
                rest = rest - vectors.detach()
                codes.append(own)
                losses.append(loss)
            whole = frames - rest.detach()  # the sum of all vectors, with the gradient of the frames
        return Quantized(whole.unflatten(0, x.shape[:2]).to(x.dtype), _by_frame(codes, x), torch.stack(losses).mean())

    def decode(self, codes: Tensor) -> Tensor:
        found = [vectors[own] for vectors, own in zip(_vectors(self.each), codes.unbind(1), strict=True)]
        return torch.stack(found).sum(dim=0)


def _vectors(codebooks: nn.ModuleList) -> list[Tensor]:
    return [codebook.get_parameter("vectors") for codebook in codebooks]


def _by_frame(codes: tuple[Tensor, ...] | list[Tensor], x: Tensor) -> Tensor:
    """`(batch, codebooks, time)` of codes `(batch * time,)` of each codebook."""
    return torch.stack(tuple(codes)).unflatten(1, x.shape[:2]).transpose(0, 1)
