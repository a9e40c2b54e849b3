"""The codes of a frame from one hidden vector: autoregressive over the codebooks, or all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import torch
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.speech_lm.past import Past
from speech.nn.speech_lm.transformer import CausalTransformer, RmsNorm, SwiGlu, TransformerConfig
from speech.ranges import ranged

Choose = Callable[[Tensor, int], Tensor]
"""Codes `(batch,)` from scores `(batch, size)` of a codebook, whose number is given."""


class FastKind(StrEnum):
    """How the codes of a frame depend on each other."""

    transformer = "transformer"
    """Each code is predicted from those of the codebooks before it (Liao et al. 2024, "Fish-Speech")."""
    parallel = "parallel"
    """All codes are predicted from the hidden vector alone; to compare with."""


@dataclass(kw_only=True, slots=True)
class FastConfig(TransformerConfig):
    """Shape of the network over the codebooks of a frame. With `parallel`, layers are feed-forward networks."""

    path: ClassVar[str] = "model.fast"
    kind: FastKind = FastKind.transformer
    dim: int = ranged(192, least=1)
    layers: int = ranged(3, least=1)
    heads: int = ranged(3, least=1)
    kv_heads: int = ranged(3, least=1)
    hidden: int = ranged(512, least=1)
    shared: bool = False
    """Whether all codebooks share one embedding and one output matrix, as in published Fish-Speech models."""

    def __post_init__(self) -> None:
        TransformerConfig.__post_init__(self)
        if self.shared and self.kind == FastKind.parallel:
            text = f"{self.path}: shared with kind={self.kind}, which would predict the same code for all codebooks"
            raise ConfigError(text, fix="Give shared=false.")


class CodebookHeads(nn.Module):
    """Base class: scores of the codebooks `first` to `codebooks - 1` of frames.

    Args:
        config: shape.
        dim: channels of a hidden vector.
        codebooks: number of codes per frame.
        size: number of values of a code.
        first: first codebook that is predicted here; those before it are given.
    """

    def __init__(self, config: FastConfig, dim: int, codebooks: int, size: int, first: int) -> None:
        super().__init__()
        self.codebooks, self.first, self.shared = codebooks, first, config.shared
        self.project = nn.Linear(dim, config.dim) if dim != config.dim else nn.Identity()
        outputs = 1 if config.shared else codebooks - first
        self.outputs = nn.ModuleList(nn.Linear(config.dim, size, bias=False) for _ in range(outputs))

    def forward(self, hidden: Tensor, codes: Tensor) -> Tensor:
        """Scores `(frames, codebooks - first, size)`.

        Args:
            hidden: `(frames, dim)`.
            codes: `(frames, codebooks)`: the true ones.
        """
        raise NotImplementedError

    def choose(self, hidden: Tensor, given: Tensor, choose: Choose) -> Tensor:
        """Codes `(batch, codebooks)`, codebook by codebook.

        Args:
            hidden: `(batch, dim)`.
            given: `(batch, first)`: codes of the codebooks before `first`.
            choose: called for each codebook that is predicted.
        """
        raise NotImplementedError

    def scores(self, x: Tensor, codebook: int) -> Tensor:
        """Scores `(..., size)` of a codebook from outputs `(..., dim)`."""
        return self.outputs[0 if self.shared else codebook - self.first](x)


class FastTransformer(CodebookHeads):
    """A causal transformer over codebooks: it reads the hidden vector, then the code of each codebook but the last."""

    def __init__(self, config: FastConfig, dim: int, codebooks: int, size: int, first: int) -> None:
        super().__init__(config, dim, codebooks, size, first)
        self.stride = 0 if config.shared else size
        self.embed = nn.Embedding(size if config.shared else size * (codebooks - 1), config.dim)
        self.blocks = CausalTransformer(config, codebooks)
        nn.init.normal_(self.embed.weight, std=config.dim**-0.5)

    def forward(self, hidden: Tensor, codes: Tensor) -> Tensor:
        earlier = codes[:, :-1] + self.stride * torch.arange(self.codebooks - 1, device=codes.device)
        x = torch.cat([self.project(hidden)[:, None], self.embed(earlier)], dim=1)  # (frames, codebooks, dim)
        x = self.blocks.norm(self.blocks(x))
        return torch.stack([self.scores(x[:, n], n) for n in range(self.first, self.codebooks)], dim=1)

    def choose(self, hidden: Tensor, given: Tensor, choose: Choose) -> Tensor:
        chosen = list(given.unbind(1))
        past: Past | None = None
        x = torch.cat([self.project(hidden)[:, None], *map(self._read, given.unbind(1), range(self.first))], dim=1)
        for codebook in range(self.first, self.codebooks):
            y, past = self.blocks.step(x, past)
            chosen.append(choose(self.scores(self.blocks.norm(y[:, -1]), codebook), codebook))
            if codebook < self.codebooks - 1:
                x = self._read(chosen[codebook], codebook)
        return torch.stack(chosen, dim=1)

    def _read(self, codes: Tensor, codebook: int) -> Tensor:
        """Embeddings `(batch, 1, dim)` of `codes (batch,)`."""
        return self.embed(codes + self.stride * codebook)[:, None]


class ParallelHeads(CodebookHeads):
    """Feed-forward networks with residuals, and an output matrix for each codebook."""

    def __init__(self, config: FastConfig, dim: int, codebooks: int, size: int, first: int) -> None:
        super().__init__(config, dim, codebooks, size, first)
        self.norms = nn.ModuleList(RmsNorm(config.dim, config.eps) for _ in range(config.layers))
        self.blocks = nn.ModuleList(SwiGlu(config.dim, config.hidden) for _ in range(config.layers))
        self.norm = RmsNorm(config.dim, config.eps)

    def forward(self, hidden: Tensor, codes: Tensor) -> Tensor:
        x = self.project(hidden)
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = x + block(norm(x))
        x = self.norm(x)
        return torch.stack([self.scores(x, n) for n in range(self.first, self.codebooks)], dim=1)

    def choose(self, hidden: Tensor, given: Tensor, choose: Choose) -> Tensor:
        scores = self(hidden, given)
        return torch.stack(
            [*given.unbind(1), *(choose(own, self.first + n) for n, own in enumerate(scores.unbind(1)))], 1
        )


def codebook_heads(config: FastConfig, dim: int, codebooks: int, size: int, first: int) -> CodebookHeads:
    """The network that `config.kind` names; arguments as for `CodebookHeads`."""
    kind = ParallelHeads if config.kind == FastKind.parallel else FastTransformer
    return kind(config, dim, codebooks, size, first)
