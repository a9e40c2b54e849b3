"""Hold-n: all but the end of a draft is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech.errors import ConfigError
from speech.translate.policy import TranslationDraft, whole_words


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldN:
    """Writes a draft without its last `n` tokens (Liu et al. 2020, arXiv 2005.11185)."""

    n: int = 4
    """Tokens held back."""

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ConfigError(f"hold-n with n {self.n}", fix="n is at least 0.")

    def decide(self, drafts: Sequence[TranslationDraft]) -> int:
        """See `Policy`."""
        return whole_words(drafts[-1], max(len(drafts[-1].tokens) - self.n, 0))
