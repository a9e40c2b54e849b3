"""Dual-AR (Liao et al. 2024, "Fish-Speech", section 3.1): text and codes to codes.

A slow transformer reads tokens over time: text, and frames as the sum of their codes' embeddings. From its output at
each place a fast network predicts the codes of the next frame, codebook by codebook. `forward` over whole sequences
and `step` frame by frame give equal scores (float32: 1e-4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.models.base import SpeechPrompt
from speech.nn.speech_lm.codebook_heads import CodebookHeads, FastConfig, codebook_heads
from speech.nn.speech_lm.past import Past
from speech.nn.speech_lm.transformer import CausalTransformer, TransformerConfig
from speech.nn.tied_embedding import TiedEmbedding
from speech.ranges import check, ranged
from speech.text.speech_vocabulary import TokenLayout

OVER_TIME = -1
"""In the place of a codebook: the token that the slow transformer writes."""


@dataclass(kw_only=True, slots=True)
class DualArConfig:
    """Shape of a Dual-AR model; by default for the codes of `CodecConfig`."""

    codebooks: int = ranged(8, least=1)
    codebook_size: int = ranged(1000, least=2)
    frame_s: float = ranged(0.0466667, above=0)
    """Seconds per frame of codes."""
    positions: int = ranged(2048, least=2)
    """Largest number of tokens and frames of a request, its prompt and its voice included."""
    max_frames: int = ranged(1024, least=1)
    """Maximum frames generated for one text; less than `positions`."""
    first_in_tokens: bool = True
    """The slow transformer predicts the code of the first codebook, as in Fish-Speech 1.5; otherwise only whether
    another frame follows, as in 1.4."""
    tied: bool = False
    """Whether the token embedding is the output matrix too."""
    normed: bool = False
    """Whether the fast network reads the slow one's output behind the final norm, as in Fish-Speech S2."""
    speaker_dim: int = ranged(0, least=0)
    """Size of a speaker embedding; 0: the model takes none."""
    slow: TransformerConfig = field(default_factory=TransformerConfig)
    fast: FastConfig = field(default_factory=FastConfig)

    def __post_init__(self) -> None:
        check(self, "model")
        if self.max_frames >= self.positions:
            raise ConfigError(
                f"model: max_frames {self.max_frames}, positions {self.positions}", fix="Give more of these."
            )
        if self.first_in_tokens and self.codebooks == 1:
            raise ConfigError("model: codebooks 1 with first_in_tokens leaves nothing to the fast network")

    @property
    def frame_tokens(self) -> int:
        """Number of tokens that stand for a frame."""
        return self.codebook_size if self.first_in_tokens else 1

    def build(self, layout: TokenLayout) -> DualAr:
        """Build the model with random parameters.

        Raises:
            ConfigError: if the layout has not `frame_tokens`.
        """
        return DualAr(self, layout)


class SpeechLmState(NamedTuple):
    """State of a batch of requests."""

    past: Past
    hidden: Tensor
    """`(batch, dim)`: the slow transformer's output at the last place."""


class SpeechScores(NamedTuple):
    """Scores of what follows each of the places asked for."""

    tokens: Tensor
    """`(n, frame_tokens + 1)`, the last one for the end."""
    codes: Tensor
    """`(m, predicted codebooks, codebook_size)`"""


class FrameEmbedding(nn.Module):
    """Tokens, and the sum of the codes' embeddings where the token is a frame."""

    def __init__(self, config: DualArConfig, layout: TokenLayout) -> None:
        super().__init__()
        dim = config.slow.dim
        self.layout, self.size = layout, config.codebook_size
        self.tokens: nn.Module = TiedEmbedding(layout.size, dim) if config.tied else nn.Embedding(layout.size, dim)
        self.codes = nn.Embedding(config.codebooks * config.codebook_size, dim)
        for embedding in (self.tokens, self.codes):
            nn.init.normal_(embedding.get_parameter("weight"), std=dim**-0.5)

    def forward(self, tokens: Tensor, codes: Tensor, speaker: Tensor | None = None) -> Tensor:
        """`(batch, n, dim)`.

        Args:
            tokens: `(batch, n)`.
            codes: `(batch, codebooks, n)`.
            speaker: `(batch, n, dim)`, added to what is no frame.
        """
        number = tokens - self.layout.first_frame
        is_frame = ((number >= 0) & (number < self.layout.frames))[..., None]  # (batch, n, 1)
        rows = codes + self.size * torch.arange(codes.shape[1], device=codes.device)[:, None]
        summed = self.codes(rows).sum(dim=1)  # (batch, n, dim)
        x: Tensor = self.tokens(tokens)
        rest = torch.zeros_like(x) if speaker is None else speaker
        return x + torch.where(is_frame, summed, rest)


class DualAr(nn.Module):
    """Model of `speech.models.base.SpeechLM`; see the module's docstring."""

    def __init__(self, config: DualArConfig, layout: TokenLayout) -> None:
        super().__init__()
        if layout.frames != config.frame_tokens:
            raise ConfigError(f"a vocabulary of {layout.frames} frame tokens; the model has {config.frame_tokens}")
        self.config, self.layout = config, layout
        dim = config.slow.dim
        self.embed = FrameEmbedding(config, layout)
        self.slow = CausalTransformer(config.slow, config.positions)
        self.output = None if config.tied else nn.Linear(dim, layout.size, bias=False)
        self.fast: CodebookHeads = codebook_heads(
            config.fast, dim, config.codebooks, config.codebook_size, first=int(config.first_in_tokens)
        )
        self.speaker = nn.Linear(config.speaker_dim, dim, bias=False) if config.speaker_dim else None
        self.parameter_count = sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        return self.slow.norm.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.slow.norm.weight.dtype

    @property
    def frame_s(self) -> float:
        return self.config.frame_s

    @property
    def codebooks(self) -> int:
        return self.config.codebooks

    @property
    def codebook_size(self) -> int:
        return self.config.codebook_size

    @property
    def max_frames(self) -> int:
        return self.config.max_frames

    def forward(
        self,
        tokens: Tensor,
        codes: Tensor,
        positions: Tensor | None = None,
        visible: Tensor | None = None,
        speakers: Tensor | None = None,
    ) -> Tensor:
        """The slow transformer's outputs `(batch, n, dim)` for whole sequences; `scores` reads them.

        Args:
            tokens: `(batch, n)`.
            codes: `(batch, codebooks, n)`, which count where the token is a frame.
            positions: `(batch, n)`; None: 0 to n - 1.
            visible: `(batch or 1, 1, n, n)`; None: each place sees itself and all earlier ones.
            speakers: `(batch, n, speaker_dim)`, zero where no speaker is given.
        """
        return self.slow(self.embed(tokens, codes, self._projected(speakers)), positions, visible)

    def scores(self, hidden: Tensor, following: Tensor, codes: Tensor) -> SpeechScores:
        """Scores of what follows, for training.

        Args:
            hidden: `(n, dim)`, outputs at places that a frame or the end follows.
            following: `(m,)`, the numbers of those that a frame follows and whose codes are asked for.
            codes: `(m, codebooks)` of these frames; a code depends on the true ones before it.
        """
        normed = self.slow.norm(hidden)
        read = (normed if self.config.normed else hidden)[following]
        return SpeechScores(self._token_scores(normed), self.fast(read, codes))

    @torch.no_grad()
    def begin(self, prompts: Sequence[SpeechPrompt]) -> SpeechLmState:
        counts = [len(prompt.tokens) for prompt in prompts]
        count, room = max(counts), self.config.positions - self.config.max_frames
        if count > room:
            raise ConfigError(
                f"text and voice have {count} tokens and frames; the model takes {room} of them",
                fix="Give a shorter text, or a shorter reference.",
            )
        tokens = torch.stack([_left_padded(prompt.tokens, count) for prompt in prompts]).to(self.device)
        codes = torch.stack([_left_padded(prompt.codes, count) for prompt in prompts]).to(self.device)
        x = self.embed(tokens, codes, self._projected(self._speakers(prompts, count)))
        hidden, past = self.slow.step(x, None, counts)
        return SpeechLmState(past, hidden[:, -1])

    @torch.no_grad()
    def step(
        self, state: SpeechLmState, choose: Callable[[Tensor, int], Tensor]
    ) -> tuple[Tensor, Tensor, SpeechLmState]:
        normed = self.slow.norm(state.hidden)
        chosen = choose(self._token_scores(normed), OVER_TIME)  # (batch,)
        ended = chosen == self.layout.frames
        frame = torch.where(ended, 0, chosen)
        read = normed if self.config.normed else state.hidden
        codes = self.fast.choose(read, frame[:, None][:, : self.fast.first], choose)
        tokens = torch.where(ended, self.layout.end, self.layout.first_frame + frame)[:, None]
        hidden, past = self.slow.step(self.embed(tokens, codes[..., None]), state.past)
        return codes, ended, SpeechLmState(past, hidden[:, 0])

    def all_scores(self, normed: Tensor) -> Tensor:
        """Scores `(n, tokens)` of all tokens from normed outputs `(n, dim)`."""
        return self.embed.tokens.logits(normed) if self.output is None else self.output(normed)  # type: ignore[operator]

    def _token_scores(self, normed: Tensor) -> Tensor:
        """Scores `(n, frames + 1)` of frame tokens and the end from normed outputs `(n, dim)`."""
        first, end, whole = self.layout.first_frame, self.layout.end, self.all_scores(normed)
        return torch.cat([whole[:, first : first + self.layout.frames], whole[:, end : end + 1]], dim=1)

    def _projected(self, speakers: Tensor | None) -> Tensor | None:
        return None if speakers is None or self.speaker is None else self.speaker(speakers.to(self.dtype))

    def _speakers(self, prompts: Sequence[SpeechPrompt], count: int) -> Tensor | None:
        """`(batch, count, speaker_dim)`; None if the model takes no speaker.

        Raises:
            ConfigError: if a speaker is given to a model that takes none, or has another size.
        """
        size = self.config.speaker_dim
        for prompt in prompts:
            if prompt.speaker is not None and (not size or prompt.speaker.shape != (size,)):
                shape = tuple(prompt.speaker.shape)
                raise ConfigError(f"a speaker embedding of shape {shape}; the model takes {size or 'none'}")
        if not size:
            return None
        rows = [torch.zeros(size) if p.speaker is None else p.speaker.cpu().float() for p in prompts]
        return torch.stack(rows).to(self.device)[:, None].expand(-1, count, -1)


def _left_padded(x: Tensor, count: int) -> Tensor:
    """`(..., count)` with zeros in front of `x (..., n)`."""
    return nn.functional.pad(x, (count - x.shape[-1], 0))
