"""Aligned Dual-AR: a Dual-AR model (Liao et al. 2024, "Fish-Speech") that is told which symbol each frame says.

A text encoder reads the symbols and tells how long each lasts. A slow transformer over frames reads, for each frame,
the codes of the frame before, the encoded symbol that the frame says, and the frame's place in it. From its output it
predicts the first code, and a fast network the others, codebook by codebook. Speech ends where the symbols do.
`forward` over whole utterances and `step` frame by frame give equal scores (float32: 1e-4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.models.aligned_lm import AlignedPrompt, AlignedVoice, SymbolFrames, Turn
from speech.models.aligned_text import SymbolReader, TextRows
from speech.nn.speech_lm.codebook_heads import CodebookHeads, FastConfig, codebook_heads
from speech.nn.speech_lm.past import Past
from speech.nn.speech_lm.text_encoder import TextEncoderConfig
from speech.nn.speech_lm.transformer import CausalTransformer, TransformerConfig
from speech.ranges import check, ranged
from speech.text.speech_vocabulary import TokenLayout

START = -1
"""In the place of the codes before an utterance's first frame."""


@dataclass(kw_only=True, slots=True)
class AlignedConfig:
    """Shape of an aligned Dual-AR model; by default for the codes of `CodecConfig`."""

    codebooks: int = ranged(8, least=2)
    codebook_size: int = ranged(1000, least=2)
    frame_s: float = ranged(0.0466667, above=0)
    """Seconds per frame of codes."""
    positions: int = ranged(2048, least=2)
    """Largest number of frames of a request, its voice included."""
    max_frames: int = ranged(1024, least=1)
    """Maximum frames generated for one text; less than `positions`."""
    places: int = ranged(16, least=1)
    """Places in a symbol that are told apart; frames behind them are like the last one."""
    speaker_dim: int = ranged(0, least=0)
    """Size of a speaker embedding; 0: the model takes none."""
    text: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    slow: TransformerConfig = field(default_factory=TransformerConfig)
    fast: FastConfig = field(default_factory=FastConfig)

    def __post_init__(self) -> None:
        check(self, "model")
        if self.max_frames >= self.positions:
            raise ConfigError(
                f"model: max_frames {self.max_frames}, positions {self.positions}", fix="Give more of these."
            )

    @property
    def voice_frames(self) -> int:
        """Largest number of frames of a voice that is imitated."""
        return self.positions - self.max_frames

    @property
    def frame_tokens(self) -> int:
        """Number of tokens that stand for a frame: none."""
        return 0

    def build(self, layout: TokenLayout) -> AlignedAr:
        """Build the model with random parameters.

        Raises:
            ConfigError: if the layout has tokens of frames.
        """
        return AlignedAr(self, layout)


class AlignedFrames(NamedTuple):
    """Rows of whole utterances, which may lie side by side: what a frame of a row is told, and the row's symbols."""

    symbols: Tensor
    """`(batch, symbols)`"""
    languages: Tensor
    """`(batch, symbols)`, `NO_LANGUAGE` where there is none."""
    utterances: Tensor
    """`(batch, symbols)`: the number of the symbol's utterance, from 0."""
    speakers: Tensor | None
    """`(batch, symbols, speaker_dim)`, zero where no speaker is given."""
    said: Tensor
    """`(batch, n)`: the number of the symbol that a frame says."""
    inside: Tensor
    """`(batch, n)`: the number of the frame in its symbol, from 0."""
    before: Tensor
    """`(batch, codebooks, n)`: codes of the frame before, `START` in front of an utterance."""


class AlignedOutput(NamedTuple):
    """Outputs for whole utterances."""

    hidden: Tensor
    """`(batch, n, dim)` of the slow transformer; `AlignedAr.scores` reads them."""
    log_frames: Tensor
    """`(batch, symbols)`: the logarithm of the expected duration, in frames."""


class AlignedScores(NamedTuple):
    """Scores of the codes of frames."""

    first: Tensor
    """`(n, codebook_size)` of the first codebook."""
    others: Tensor
    """`(m, codebooks - 1, codebook_size)`"""


class AlignedState(NamedTuple):
    """State of a batch of requests."""

    past: Past
    before: Tensor
    """`(batch, codebooks)`: codes of the last frame, or `START`."""
    text: TextRows


class AlignedEmbedding(nn.Module):
    """What the slow transformer reads: a symbol, the frame's place in it, and the codes of the frame before."""

    def __init__(self, config: AlignedConfig) -> None:
        super().__init__()
        dim, self.size, self.places = config.slow.dim, config.codebook_size, config.places
        self.inside = nn.Embedding(config.places, dim)
        self.codes = nn.Embedding(config.codebooks * config.codebook_size, dim)
        self.start = nn.Parameter(torch.zeros(dim))
        for embedding in (self.inside, self.codes):
            nn.init.normal_(embedding.weight, std=dim**-0.5)

    def forward(self, symbols: Tensor, inside: Tensor, before: Tensor) -> Tensor:
        """`(batch, n, dim)`.

        Args:
            symbols: `(batch, n, dim)`: what is said.
            inside: `(batch, n)`: the number of the frame in its symbol.
            before: `(batch, n, codebooks)`: codes of the frame before, or `START`.
        """
        rows = before.clamp(min=0) + self.size * torch.arange(before.shape[2], device=before.device)
        known = (before[..., :1] != START).to(symbols.dtype)  # (batch, n, 1)
        frame = self.codes(rows).sum(dim=2) * known + self.start * (1 - known)
        found: Tensor = symbols + self.inside(inside.clamp(max=self.places - 1)) + frame
        return found


class AlignedAr(nn.Module):
    """Model of `speech.models.aligned_lm.AlignedLM`; see the module's docstring."""

    def __init__(self, config: AlignedConfig, layout: TokenLayout) -> None:
        super().__init__()
        if layout.frames:
            raise ConfigError(f"a vocabulary of {layout.frames} frame tokens; an aligned model has none")
        self.config, self.layout = config, layout
        dim = config.slow.dim
        self.text = SymbolReader(config.text, layout.size, dim, config.speaker_dim)
        self.embed = AlignedEmbedding(config)
        self.slow = CausalTransformer(config.slow, config.positions)
        self.output = nn.Linear(dim, config.codebook_size, bias=False)
        self.fast: CodebookHeads = codebook_heads(config.fast, dim, config.codebooks, config.codebook_size, first=1)
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

    @property
    def look_ahead(self) -> int:
        return self.config.text.look_ahead

    def forward(
        self, given: AlignedFrames, positions: Tensor | None = None, visible: Tensor | None = None
    ) -> AlignedOutput:
        """Process whole utterances; `positions` and `visible` as for `CausalTransformer`."""
        symbols, log_frames = self.text(given.symbols, given.languages, given.utterances, given.speakers)
        each = given.said[..., None].expand(-1, -1, symbols.shape[-1])
        x = self.embed(symbols.gather(1, each), given.inside, given.before.transpose(1, 2))
        return AlignedOutput(self.slow(x, positions, visible), log_frames)

    def scores(self, hidden: Tensor, following: Tensor, codes: Tensor) -> AlignedScores:
        """Scores of codes, for training.

        Args:
            hidden: `(n, dim)`, outputs for frames.
            following: `(m,)`, the numbers of those whose other codes are asked for.
            codes: `(m, codebooks)` of these frames; a code depends on the true ones before it.
        """
        first = self.output(self.slow.norm(hidden))
        return AlignedScores(first, self.fast(hidden[following], codes))

    @torch.no_grad()
    def expected_frames(self, symbols: Sequence[int], language: int | None, speaker: Tensor | None) -> Tensor:
        """Expected durations of the symbols of a text in frames, `(symbols,)`; errors as `begin`."""
        return self.text.expected_frames(symbols, language, speaker).cpu()

    @torch.no_grad()
    def begin(self, prompts: Sequence[AlignedPrompt]) -> AlignedState:
        rows = TextRows(tuple(self.text.begin(prompt) for prompt in prompts))
        heard = [self._heard(prompt) for prompt in prompts]
        most, room = max(map(len, heard)), self.config.voice_frames
        if most > room:
            text = f"a voice of {most} frames; the model takes {room} of them"
            raise ConfigError(text, fix="Give a shorter reference.")
        if most:
            x = torch.stack([nn.functional.pad(own, (0, 0, most - len(own), 0)) for own in heard])
            _, past = self.slow.step(x, None, list(map(len, heard)))
        else:
            past = self.slow.begin(len(prompts))
        before = torch.full((len(prompts), self.codebooks), START, device=self.device)
        return AlignedState(past, before, rows)

    @torch.no_grad()
    def extend(
        self,
        state: AlignedState,
        row: int,
        symbols: Sequence[int],
        frames: Sequence[float] | None = None,
        ended: bool = False,
    ) -> AlignedState:
        rows = list(state.text.rows)
        rows[row] = self.text.extended(rows[row], symbols, frames, ended)
        return state._replace(text=TextRows(tuple(rows)))

    def turns(self, state: AlignedState) -> list[Turn]:
        return [row.turn for row in state.text.rows]

    def said(self, state: AlignedState) -> list[SymbolFrames]:
        return [row.said for row in state.text.rows]

    @torch.no_grad()
    def step(self, state: AlignedState, choose: Callable[[Tensor, int], Tensor]) -> tuple[Tensor, AlignedState]:
        rows = state.text.rows
        assert all(turn == Turn.frame for turn in self.turns(state)), "a row without a frame to come"
        symbols = torch.stack([row.current for row in rows if row.current is not None])
        inside = torch.tensor([row.inside for row in rows], device=self.device)
        x = self.embed(symbols[:, None], inside[:, None], state.before[:, None])
        y, past = self.slow.step(x, state.past)
        first = choose(self.output(self.slow.norm(y[:, 0])), 0)
        codes = self.fast.choose(y[:, 0], first[:, None], choose)
        after = tuple(self.text.advanced(replace(row, inside=row.inside + 1)) for row in rows)
        return codes, AlignedState(past, codes, TextRows(after))

    def _heard(self, prompt: AlignedPrompt) -> Tensor:
        """What the slow transformer reads of a voice: `(frames, dim)`.

        Raises:
            ConfigError: if symbols, durations and codes of the voice do not belong together.
        """
        voice = prompt.voice
        if voice is None or not len(voice.symbols):
            return torch.zeros(0, self.config.slow.dim, dtype=self.dtype, device=self.device)
        self._check(voice)
        encoded = self.text.whole(voice.symbols, voice.language, prompt.speaker)  # (symbols, dim)
        counts = torch.tensor(voice.frame_counts)
        said = torch.arange(len(counts)).repeat_interleave(counts)
        inside = torch.arange(len(said)) - (counts.cumsum(0) - counts)[said]
        codes = nn.functional.pad(voice.codes[:, :-1], (1, 0), value=START).T.to(self.device)  # (frames, codebooks)
        return self.embed(encoded[said.to(self.device)][None], inside.to(self.device)[None], codes[None])[0]

    def _check(self, voice: AlignedVoice) -> None:
        frames = sum(voice.frame_counts)
        if len(voice.codes) != self.codebooks:
            raise ConfigError(f"a voice of {len(voice.codes)} codebooks; the model has {self.codebooks}")
        if (
            len(voice.frame_counts) != len(voice.symbols)
            or frames != voice.codes.shape[1]
            or min(voice.frame_counts) < 0
        ):
            text = f"a voice of {len(voice.symbols)} symbols, {len(voice.frame_counts)} durations of {frames} frames, "
            raise ConfigError(f"{text}and codes of {voice.codes.shape[1]} frames", fix="Align it anew.")
