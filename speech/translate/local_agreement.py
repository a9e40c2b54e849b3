"""LocalAgreement-n: what several drafts in a row agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech.errors import ConfigError
from speech.translate.policy import TranslationDraft, whole_words


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalAgreement:
    """Writes the longest common prefix of the last `n` drafts (Liu et al. 2020, arXiv 2005.11185; Macháček et al. 2023,
    arXiv 2307.14743). Each draft is compared as a whole text of the part, with what had been written before it."""

    n: int = 2
    """Drafts that have to agree."""

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ConfigError(f"LocalAgreement of {self.n} drafts", fix="Compare 2 or more.")

    def decide(self, drafts: Sequence[TranslationDraft]) -> int:
        """See `Policy`."""
        if len(drafts) < self.n:
            return 0
        newest = drafts[-1]
        texts = [(*draft.written, *draft.tokens) for draft in drafts[-self.n :]]
        common = 0
        for tokens in zip(*texts, strict=False):
            if len(set(tokens)) > 1:
                break
            common += 1
        return whole_words(newest, max(common - len(newest.written), 0))
