"""Symbols of a text for speech that is aligned with them: an encoder with a short look-ahead, and durations.

`TextEncoder.forward` over whole texts and `step` symbol by symbol give the same (float32: 1e-5). A step always computes
one symbol of one text, so its result does not depend on how the text arrives, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.speech_lm.transformer import RmsNorm
from speech.ranges import check, ranged

NO_LANGUAGE = -1
"""In the place of a language's token: the text has none."""
_OUTSIDE = -2
"""Segment of what lies before and behind a row."""


@dataclass(kw_only=True, slots=True)
class TextEncoderConfig:
    """Shape of a text encoder and of its duration head."""

    dim: int = ranged(256, least=1)
    layers: int = ranged(3, least=1)
    kernel: int = ranged(5, least=3)
    """Symbols that a convolution sees, an odd number."""
    eps: float = ranged(1e-6, above=0)
    """Of the norms."""
    dropout: float = ranged(0.0, least=0, below=1)
    """Of the outputs of the convolutions, in training."""
    longest: int = ranged(64, least=1)
    """Maximum duration that is predicted for a symbol, in frames."""

    def __post_init__(self) -> None:
        check(self, "text_encoder")
        if self.kernel % 2 == 0:
            raise ConfigError(f"text_encoder.kernel {self.kernel}", fix="Give an odd number.")

    @property
    def look_ahead(self) -> int:
        """Number of symbols behind it that the encoding of a symbol depends on."""
        return self.layers * (self.kernel // 2)


class TextWindows(NamedTuple):
    """State of one text."""

    inputs: Tensor
    """`(layers, kernel - 1, dim)`: last inputs of each layer; zeros stand outside of the text."""
    fed: int
    """Inputs of the first layer so far, zeros behind the text included."""


class SymbolConvolution(nn.Module):
    """A convolution behind a norm, with a residual: `(batch, n, dim)` to the same."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.kernel = config.kernel
        self.norm = RmsNorm(config.dim, config.eps)
        self.taps = nn.Linear(config.kernel * config.dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """`seen (batch, n, kernel)` bool: which of its neighbours a symbol sees."""
        reach = self.kernel // 2
        windows = F.pad(self.norm(x), (0, 0, reach, reach)).unfold(1, self.kernel, 1)  # (batch, n, dim, kernel)
        windows = windows.transpose(2, 3) * seen[..., None]  # (batch, n, kernel, dim)
        return x + self.dropout(F.gelu(self.taps(windows.flatten(2))))

    def middle(self, window: Tensor) -> Tensor:
        """Output `(dim,)` for the symbol in the middle of a `window (kernel, dim)`."""
        found: Tensor = self.taps(self.norm(window).view(1, -1))
        return window[self.kernel // 2] + F.gelu(found)[0]


class TextEncoder(nn.Module):
    """Convolutions over embedded symbols.

    Args:
        config: shape.
        tokens: number of tokens of texts, those of languages included.
    """

    def __init__(self, config: TextEncoderConfig, tokens: int) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(tokens, config.dim)
        self.layers = nn.ModuleList(SymbolConvolution(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.dim, config.eps)
        nn.init.normal_(self.embed.weight, std=config.dim**-0.5)

    def embedded(self, symbols: Tensor, languages: Tensor) -> Tensor:
        """Embeddings `(..., dim)` of `symbols (...)` with those of their `languages (...)`, or `NO_LANGUAGE`."""
        spoken = self.embed(languages.clamp(min=0)) * (languages != NO_LANGUAGE)[..., None]
        found: Tensor = self.embed(symbols) + spoken
        return found

    def forward(self, symbols: Tensor, languages: Tensor, segments: Tensor) -> Tensor:
        """Encode whole texts, several of which may lie in a row: `(batch, n, dim)`.

        Args:
            symbols: tokens `(batch, n)`.
            languages: tokens `(batch, n)`, `NO_LANGUAGE` where there is none.
            segments: `(batch, n)`, not negative in texts: a symbol sees those of its own segment only.
        """
        reach = self.config.kernel // 2
        around = F.pad(segments, (reach, reach), value=_OUTSIDE).unfold(1, self.config.kernel, 1)
        seen = around == segments[..., None]  # (batch, n, kernel)
        x = self.embedded(symbols, languages)
        for layer in self.layers:
            x = layer(x, seen)
        found: Tensor = self.norm(x)
        return found

    def begin(self) -> TextWindows:
        """State before the first symbol of a text."""
        weight = self.embed.weight
        shape = self.config.layers, self.config.kernel - 1, self.config.dim
        return TextWindows(torch.zeros(shape, dtype=weight.dtype, device=weight.device), 0)

    def step(self, symbol: Tensor | None, windows: TextWindows, count: int | None) -> tuple[Tensor | None, TextWindows]:
        """Feed the next symbol of one text.

        Args:
            symbol: from `embedded`, `(dim,)`; None behind the last one.
            windows: from `begin` or the previous step.
            count: number of symbols of the text, if it has ended; otherwise None.

        Returns:
            The encoding `(dim,)` of the symbol `look_ahead` before this one, None if there is no such symbol; and the
            next state.
        """
        nothing = torch.zeros_like(windows.inputs[0, 0])
        x, kept, place, inside = nothing if symbol is None else symbol, [], windows.fed, symbol is not None
        for layer, before in zip(self.layers, windows.inputs.unbind(), strict=True):
            window = torch.cat([before, x[None]])  # (kernel, dim)
            kept.append(window[1:])
            place -= self.config.kernel // 2
            inside = place >= 0 and (count is None or place < count)
            x = layer.middle(window) if inside else nothing  # type: ignore[operator]
        after = TextWindows(torch.stack(kept), windows.fed + 1)
        return (self.norm(x[None])[0] if inside else None), after


class DurationHead(nn.Module):
    """Logarithm of the mean number of frames of a symbol, `(...)` from encodings `(..., dim)`."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.most = math.log(config.longest)
        self.hidden = nn.Linear(config.dim, config.dim)
        self.output = nn.Linear(config.dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.output(F.gelu(self.hidden(x)))
        return found[..., 0].float().clamp(max=self.most)


def duration_loss(log_frames: Tensor, frames: Tensor) -> Tensor:
    """Mean Poisson deviance of durations: 0 if all are right, and least in the mean if the means are, so that the
    total is neither too short nor too long. A squared error of logarithms would make speech too fast.

    Args:
        log_frames: `(n,)` of `DurationHead`.
        frames: `(n,)`, at least 0, not necessarily whole.
    """
    ratio = torch.special.xlogy(frames, frames) - frames * log_frames
    return 2 * (ratio - frames + log_frames.exp()).mean()


def frame_end(total: float) -> int:
    """The frame in which a text ends whose durations so far sum up to `total` frames. Differences of ends are whole
    durations, in which what was rounded off one symbol is carried over to the next."""
    return math.floor(total + 0.5)
