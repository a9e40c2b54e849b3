"""Tracks the spoken language of a live stream from frame evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST = 0.1
"""Minimum posterior of a language to be listed in `posterior`."""
_HALF_LIFE = 75.0
"""Number of frames in which the weight of evidence halves."""
_ENTER = 0.6
"""Minimum posterior for a switch to a language."""
_HOLD = 25
"""Number of frames for which it must be reached."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of the spoken language."""

    previous: str | None
    language: str
    confidence: float


class LanguageTracker:
    """Language posterior of the last seconds, with hysteresis: a single odd word causes no switch.

    Args:
        codes: ISO 639-3 codes of the evidence's columns.
        allowed: possible languages; empty: all.

    Attributes:
        language: the current language; None until one is clear.
        confidence: its current posterior.
        posterior: code -> current posterior, of languages that are not unlikely.
    """

    def __init__(self, codes: Sequence[str], allowed: Sequence[str] = ()) -> None:
        self._codes = list(codes)
        self._known = torch.tensor([not allowed or code in allowed for code in codes])
        self._evidence = torch.zeros(len(self._codes), dtype=torch.float64)
        self._weight = 0.0
        self._candidate, self._held = "", 0
        self.language: str | None = allowed[0] if len(allowed) == 1 else None
        self.confidence = 1.0 if self.language else 0.0
        self.posterior: dict[str, float] = {self.language: 1.0} if self.language else {}

    def update(self, log_posteriors: Tensor) -> Switch | None:
        """Add log-posteriors of more frames `(t, languages)`; returns a switch if there was one."""
        frames = len(log_posteriors)
        if not frames or int(self._known.sum()) <= 1:  # none: the allowed language has no evidence column
            return None
        fade = 0.5 ** (frames / _HALF_LIFE)
        self._evidence = self._evidence * fade + log_posteriors.double().cpu().sum(dim=0)
        self._weight = self._weight * fade + frames
        mean = (self._evidence / self._weight).masked_fill(~self._known, -torch.inf)
        posterior = torch.softmax(mean, dim=-1)
        self.posterior = {code: p for code, p in zip(self._codes, posterior.tolist(), strict=True) if p >= _LEAST}
        best = int(posterior.argmax())
        code, believed = self._codes[best], float(posterior[best])
        if self.language is not None:
            self.confidence = float(posterior[self._codes.index(self.language)])
        if code == self.language or believed < _ENTER:
            self._candidate, self._held = "", 0
            return None
        self._held = self._held + frames if code == self._candidate else frames
        self._candidate = code
        if self._held < _HOLD:
            return None
        switch = Switch(self.language, code, believed)
        self.language, self.confidence = code, believed
        self._candidate, self._held = "", 0
        return switch
