"""The text of an aligned speech language model: what is read of it, and how far it has been said.

How far a text has been said is immutable, a row per request.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.models.aligned_lm import AlignedPrompt, SymbolFrames, Turn
from speech.nn.speech_lm.text_encoder import (
    NO_LANGUAGE,
    DurationHead,
    TextEncoder,
    TextEncoderConfig,
    TextWindows,
    frame_end,
)
from speech.nn.streaming import Rows

SLOWEST, FASTEST = 0.5, 2.0
"""Range of speaking rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextProgress:
    """The text of one request."""

    language: int
    """Token, or `NO_LANGUAGE`."""
    rate: float
    speaker: Tensor | None
    """`(text dim,)`, added to what symbols are encoded as."""
    windows: TextWindows
    symbols: tuple[int, ...] = ()
    frames: tuple[float | None, ...] = ()
    """Given duration of each symbol; None: predicted."""
    ended: bool = False
    """Whether no symbol follows."""
    total: float = 0.0
    """Frames of all symbols whose turn has come, not rounded."""
    frame_counts: tuple[int, ...] = ()
    """Whole frames of these symbols, the last of which is the current one."""
    current: Tensor | None = None
    """`(dim,)`: what the slow transformer reads of the current symbol."""
    inside: int = 0
    """Frames of the current symbol so far."""

    def extended(self, symbols: Sequence[int], frames: Sequence[float] | None, ended: bool) -> TextProgress:
        """With more symbols, and their durations if these are given.

        Raises:
            ConfigError: if the text has ended, or a duration is missing or no number from 0 on.
        """
        if self.ended:
            raise ConfigError(f"{len(symbols)} symbols follow the end of a text")
        if frames is not None and len(frames) != len(symbols):
            raise ConfigError(f"{len(frames)} durations for {len(symbols)} symbols", fix="Give one for each, or none.")
        wrong = [own for own in frames or () if not (math.isfinite(own) and own >= 0)]
        if wrong:
            raise ConfigError(f"a symbol of {wrong[0]} frames", fix="Give durations from 0 on.")
        given = tuple(map(float, frames)) if frames is not None else (None,) * len(symbols)
        return replace(self, symbols=(*self.symbols, *symbols), frames=(*self.frames, *given), ended=ended)

    def entered(self, current: Tensor, frames: float) -> TextProgress:
        """With the next symbol as the current one, whose duration at a rate of 1 is `frames`."""
        total = self.total + frames / self.rate
        count = frame_end(total) - frame_end(self.total)
        return replace(self, total=total, frame_counts=(*self.frame_counts, count), current=current, inside=0)

    @property
    def turn(self) -> Turn:
        """What comes next, if no further symbol can be entered."""
        if self.frame_counts and self.inside < self.frame_counts[-1]:
            return Turn.frame
        return Turn.end if self.ended and len(self.frame_counts) == len(self.symbols) else Turn.symbols

    @property
    def said(self) -> SymbolFrames:
        """Frames of the symbols whose turn has come."""
        first, firsts = 0, []
        for count in self.frame_counts:
            firsts.append(first)
            first += count
        return SymbolFrames(tuple(firsts), self.frame_counts)


@dataclass(frozen=True, slots=True)
class TextRows(Rows):
    """The texts of a batch."""

    rows: tuple[TextProgress, ...]

    def selected(self, slots: Sequence[int]) -> TextRows:
        return TextRows(tuple(self.rows[slot] for slot in slots))

    def merged(self, others: Sequence[TextRows]) -> TextRows:
        return TextRows(tuple(row for rows in (self, *others) for row in rows.rows))


class SymbolReader(nn.Module):
    """Encodes symbols, predicts their durations, and goes through texts symbol by symbol.

    Args:
        config: shape.
        tokens: number of tokens.
        dim: of what is read of a symbol.
        speaker_dim: size of a speaker embedding; 0: none is taken.
    """

    def __init__(self, config: TextEncoderConfig, tokens: int, dim: int, speaker_dim: int) -> None:
        super().__init__()
        self.size, self.speaker_dim = tokens, speaker_dim
        self.encoder = TextEncoder(config, tokens)
        self.durations = DurationHead(config)
        self.output = nn.Linear(config.dim, dim, bias=False)
        self.speaker = nn.Linear(speaker_dim, config.dim, bias=False) if speaker_dim else None

    @property
    def _place(self) -> tuple[torch.device, torch.dtype]:
        weight = self.encoder.embed.weight
        return weight.device, weight.dtype

    def forward(
        self, symbols: Tensor, languages: Tensor, utterances: Tensor, speakers: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What is read of symbols `(batch, symbols, dim)`, and their log-durations `(batch, symbols)`.

        Args:
            symbols, languages, utterances: as for `TextEncoder.forward`.
            speakers: `(batch, symbols, speaker_dim)`.
        """
        encoded = self.encoder(symbols, languages, utterances)
        if speakers is not None and self.speaker is not None:
            encoded = encoded + self.speaker(speakers.to(encoded.dtype))
        return self.output(encoded), self.durations(encoded)

    def whole(self, symbols: Sequence[int], language: int | None, speaker: Tensor | None) -> Tensor:
        """What is read of all symbols of a text: `(symbols, dim)`. Errors as `begin`."""
        return self._whole(symbols, language, speaker)[0]

    def expected_frames(self, symbols: Sequence[int], language: int | None, speaker: Tensor | None) -> Tensor:
        """Expected durations of all symbols of a text in frames, `(symbols,)`, not rounded. Errors as `begin`."""
        return self._whole(symbols, language, speaker)[1].float().exp()

    def _whole(self, symbols: Sequence[int], language: int | None, speaker: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is read of a text, and its log-durations."""
        given = torch.tensor([list(self._known(symbols))], device=self._place[0])
        languages = torch.full_like(given, self._language(language))
        self._spoken_by(speaker)
        speakers = None if speaker is None else speaker.to(self._place[0]).expand(1, len(symbols), -1)
        read, log_frames = self(given, languages, torch.zeros_like(given), speakers)
        return read[0], log_frames[0]

    def begin(self, prompt: AlignedPrompt) -> TextProgress:
        """The text of a request before its first frame.

        Raises:
            ConfigError: if a symbol is unknown, rate or speaker do not fit, or as `TextProgress.extended`.
        """
        if not SLOWEST <= prompt.rate <= FASTEST:
            raise ConfigError(f"a speaking rate of {prompt.rate:g}, expected {SLOWEST:g} to {FASTEST:g}")
        row = TextProgress(
            language=self._language(prompt.language),
            rate=prompt.rate,
            speaker=self._spoken_by(prompt.speaker),
            windows=self.encoder.begin(),
        )
        return self.extended(row, prompt.symbols, prompt.frames, prompt.ended)

    def extended(
        self, row: TextProgress, symbols: Sequence[int], frames: Sequence[float] | None, ended: bool
    ) -> TextProgress:
        """A text with more symbols. Errors as `begin`."""
        return self.advanced(row.extended(self._known(symbols), frames, ended))

    def advanced(self, row: TextProgress) -> TextProgress:
        """Enter symbols until one has a frame to come, or symbols are missing."""
        while row.turn == Turn.symbols:
            row, encoded = self._encoded(row)
            if encoded is None:
                return row
            if row.speaker is not None:
                encoded = encoded + row.speaker
            given = row.frames[len(row.frame_counts)]
            predicted = float(self.durations(encoded[None]).detach().exp()) if given is None else given
            row = row.entered(self.output(encoded[None])[0], predicted)
        return row

    def _encoded(self, row: TextProgress) -> tuple[TextProgress, Tensor | None]:
        """Encode the next symbol `(dim,)`; None: the symbols behind it are missing."""
        windows, encoded, known = row.windows, None, len(row.symbols)
        while encoded is None and (windows.fed < known or row.ended):
            fed = None
            if windows.fed < known:
                both = torch.tensor([row.symbols[windows.fed], row.language], device=self._place[0])
                fed = self.encoder.embedded(both[0], both[1])
            encoded, windows = self.encoder.step(fed, windows, known if row.ended else None)
        return replace(row, windows=windows), encoded

    def _known(self, symbols: Sequence[int]) -> Sequence[int]:
        wrong = [symbol for symbol in symbols if not 0 <= symbol < self.size]
        if wrong:
            raise ConfigError(f"symbol {wrong[0]}; the model has {self.size}", fix="Take those of its vocabulary.")
        return symbols

    def _language(self, token: int | None) -> int:
        return NO_LANGUAGE if token is None else self._known([token])[0]

    def _spoken_by(self, speaker: Tensor | None) -> Tensor | None:
        """What a speaker adds to encoded symbols: `(text dim,)`."""
        if speaker is None:
            return None
        if self.speaker is None or speaker.shape != (self.speaker_dim,):
            text = f"a speaker embedding of shape {tuple(speaker.shape)}; the model takes {self.speaker_dim or 'none'}"
            raise ConfigError(text)
        device, dtype = self._place
        found: Tensor = self.speaker(speaker[None].to(device, dtype))[0]
        return found
