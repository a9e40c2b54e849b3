"""Wait-k: a fixed lag behind the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech.errors import ConfigError
from speech.translate.policy import TranslationDraft, whole_words

_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitK:
    """Writes one word for each `word_s` of audio, `k` of them behind (Ma et al. 2019, arXiv 1810.08398; for speech with
    a fixed pre-decision, Ma et al. 2020, arXiv 2011.02048)."""

    k: int = 5
    """Words that it is behind the source."""
    word_s: float = 0.4
    """Seconds of audio that count as a word."""

    def __post_init__(self) -> None:
        if self.k < 0 or self.word_s <= 0.0:
            raise ConfigError(f"wait-k with k {self.k}, word_s {self.word_s}", fix="k is at least 0, word_s above 0.")

    def decide(self, drafts: Sequence[TranslationDraft]) -> int:
        """See `Policy`."""
        draft = drafts[-1]
        room = int(draft.heard_s / self.word_s + _ROUNDING) - self.k - draft.written_words
        if room <= 0:
            return 0
        starts = [place for place in range(len(draft.tokens)) if place == 0 or draft.begins_word(place)]
        return whole_words(draft, starts[room] if room < len(starts) else len(draft.tokens))
