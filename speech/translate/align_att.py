"""AlignAtt: a token is written if what it attends to has been heard for long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech.errors import ConfigError
from speech.translate.policy import TranslationDraft, whole_words

_JUMP_S = 4.0
"""Attention that goes back further has lost its place; reordering in translation goes back less."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlignAtt:
    """Writes up to the first token whose attention lies in the last `margin_s` of the audio (Papi et al. 2023, arXiv
    2305.11408)."""

    margin_s: float = 1.6
    """Seconds at the end of the audio that are not trusted yet."""

    def __post_init__(self) -> None:
        if self.margin_s < 0.0:
            raise ConfigError(f"AlignAtt with a margin of {self.margin_s} s", fix="The margin is at least 0.")

    def decide(self, drafts: Sequence[TranslationDraft]) -> int:
        """See `Policy`."""
        draft = drafts[-1]
        count, before_s = 0, 0.0
        for place_s in draft.attended_s:
            if place_s > draft.heard_s - self.margin_s or place_s < before_s - _JUMP_S:
                break
            before_s = place_s
            count += 1
        return whole_words(draft, count)
