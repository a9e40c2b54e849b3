"""One sampler per request: its settings, its random numbers and what it has chosen.

Random numbers depend on the seed and on the request's own draws only, so a request says the same in any batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speech.decode.sampling import rules
from speech.ranges import check, ranged


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingConfig:
    """Rules of one request; the defaults are those of Fish-Speech 1.5's server."""

    temperature: float = ranged(0.7, least=0, most=5)
    """0: always the likeliest code."""
    top_p: float = ranged(0.7, above=0, most=1)
    """Share of the probability, before the temperature, that may be chosen."""
    top_k: int = ranged(0, least=0)
    """Number of codes that may be chosen; 0: all."""
    penalty: float = ranged(1.2, least=1, most=10)
    """Repetition penalty on the last `window` codes of a codebook; 1: none."""
    window: int = ranged(16, least=0)
    """Frames."""
    ras_window: int = ranged(0, least=0)
    """Repetition-aware sampling: a code that occurred in so many last frames is drawn again, by `ras_temperature` and
    `ras_top_p` (Chen et al. 2024, "VALL-E 2", section 3.3, as in Fish-Speech S2); 0: never."""
    ras_temperature: float = ranged(1.0, least=0, most=5)
    ras_top_p: float = ranged(0.9, above=0, most=1)
    seed: int = ranged(0, least=0)

    def __post_init__(self) -> None:
        check(self, "sampling")


class Sampler:
    """Random numbers and history of one request."""

    def __init__(self, config: SamplingConfig) -> None:
        self.config = config
        self._random = np.random.default_rng(config.seed)
        self._chosen: dict[int, deque[int]] = {}
        """Codebook -> its last codes."""

    def noise(self, count: int) -> np.ndarray:
        """The next `count` exponentially distributed numbers."""
        return self._random.standard_exponential(count, np.float32)

    def recent(self, codebook: int, window: int) -> list[int]:
        """Last codes of a codebook, at most `window`."""
        found = self._chosen.get(codebook, ())
        return list(found)[len(found) - min(window, len(found)) :]

    def keep(self, codebook: int, code: int) -> None:
        """Remember what was chosen."""
        longest = max(self.config.window, self.config.ras_window)
        self._chosen.setdefault(codebook, deque(maxlen=longest)).append(code)


def choose(samplers: Sequence[Sampler], scores: Tensor, codebook: int) -> Tensor:
    """Choose codes `(batch,)` of a codebook, and remember them.

    Args:
        samplers: one per row.
        scores: `(batch, n)`.
        codebook: its number; each has a history of its own.
    """
    scores, rows = scores.detach().float(), [sampler.config for sampler in samplers]
    windows = [sampler.recent(codebook, sampler.config.window) for sampler in samplers]
    lower = rules.penalized(scores, _history(windows, scores), _column([c.penalty for c in rows], scores))
    tokens = _draw(samplers, lower, [c.top_p for c in rows], [c.temperature for c in rows])
    tokens = _without_repetition(samplers, lower, tokens, codebook)
    for sampler, token in zip(samplers, tokens.tolist(), strict=True):
        sampler.keep(codebook, token)
    return tokens


def _without_repetition(samplers: Sequence[Sampler], scores: Tensor, tokens: Tensor, codebook: int) -> Tensor:
    """Tokens after repetition-aware sampling: those that repeat recent ones are drawn again."""
    windows = [sampler.recent(codebook, sampler.config.ras_window) for sampler in samplers]
    if not any(windows):
        return tokens
    again = rules.repeats(tokens, _history(windows, scores)).nonzero().flatten().tolist()
    if not again:
        return tokens
    own = [samplers[row] for row in again]
    limits = [sampler.config.ras_top_p for sampler in own]
    places = torch.tensor(again, device=scores.device)
    other = _draw(own, scores.index_select(0, places), limits, [sampler.config.ras_temperature for sampler in own])
    return tokens.index_copy(0, places, other)


def _draw(
    samplers: Sequence[Sampler], scores: Tensor, shares: Sequence[float], temperatures: Sequence[float]
) -> Tensor:
    """Draw from `scores (batch, n)` with each row's share of probability and temperature."""
    kept, counts = rules.top_p(scores, _column(shares, scores)), [sampler.config.top_k for sampler in samplers]
    if any(counts):
        kept = rules.top_k(kept, _column(counts, scores))
    noise = np.stack([sampler.noise(scores.shape[1]) for sampler in samplers])
    chances = rules.probabilities(kept, _column(temperatures, scores))
    return rules.drawn(chances, torch.from_numpy(noise).to(scores.device))


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    """`(batch, 1)` in the dtype and on the device of `like`."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None]


def _history(windows: Sequence[Sequence[int]], like: Tensor) -> Tensor:
    """`(batch, longest)` int64 of the rows' tokens, filled up with `rules.NOTHING`."""
    longest = max(map(len, windows))
    filled = [[*window, *[rules.NOTHING] * (longest - len(window))] for window in windows]
    return torch.tensor(filled, dtype=torch.int64, device=like.device).view(len(windows), longest)
