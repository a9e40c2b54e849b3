"""Keeps toxic words that a translation adds out of its drafts, before anything of them is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from speech.decode.label.banned import BannedSequences
from speech.decode.label.search import LabelHypothesis, likeliest, once
from speech.recognize.request import ENGLISH
from speech.recognize.toxicity_guard import ROUNDS, ToxicityGuard
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.transcript import Toxicity


class DraftGuard:
    """As `ToxicityGuard`, for texts that continue what has been written.

    What has been written is never taken back, so no listed word may be in a draft: if every text has some, the draft
    ends before the first.

    Args:
        guard: its lists are used.
        tokenizer: of the label decoder.
    """

    def __init__(self, guard: ToxicityGuard, tokenizer: LabelTokenizer) -> None:
        self._guard, self._tokenizer = guard, tokenizer

    def __call__(
        self,
        best: LabelHypothesis,
        language: str,
        written: Sequence[int],
        search: Callable[[BannedSequences], Sequence[LabelHypothesis]],
        said: Callable[[], Iterable[str]],
    ) -> tuple[LabelHypothesis, Toxicity | None]:
        """Check a draft, and replace it if it adds toxicity.

        Args:
            best: the draft: the tokens behind `written`.
            language: ISO 639-3 code of the speech.
            written: tokens of the translation so far. A phrase of several words may begin in them.
            search: returns other drafts, without the banned sequences.
            said: texts of the speech so far; called only if the draft has listed words and there is a list of the
                language.

        Returns:
            The draft, or another one that has no more listed words than `written`; and what was found.
        """
        words = self._guard.words
        found = self._more(best.tokens, written)
        if not found or (language in words.languages and any(words.matches(text, language) for text in said())):
            return best, None
        rejected: Sequence[LabelHypothesis] = [best]
        sequences: set[tuple[int, ...]] = set()
        for _ in range(ROUNDS):
            for one in rejected:
                for tokens in (one.tokens, (*written, *one.tokens)):
                    sequences.update(self._guard.sequences(replace(one, tokens=tokens)))
            rejected = search(BannedSequences(sequences, written))
            clean = [one for one in rejected if not self._more(one.tokens, written)]
            if clean:
                return likeliest(clean), Toxicity(found, removed=True)
        return self._cut(best, written), Toxicity(found, removed=True)

    def _more(self, tokens: Sequence[int], written: Sequence[int]) -> tuple[str, ...]:
        """Entries of the draft alone, and those that it completes."""
        words, own = self._guard.words, once(tokens)
        entries = words.matches(self._tokenizer.decode(own), ENGLISH)
        if not written:
            return entries
        before, text = self._tokenizer.decode(written), self._tokenizer.decode([*written, *own])
        known = words.matches(before, ENGLISH)
        completed = (
            entry
            for entry in words.matches(text, ENGLISH)
            if entry not in known or len(words.places(entry, text, ENGLISH)) > len(words.places(entry, before, ENGLISH))
        )
        return tuple(dict.fromkeys((*entries, *completed)))

    def _cut(self, draft: LabelHypothesis, written: Sequence[int]) -> LabelHypothesis:
        """The draft up to the word that completes its first entry."""
        tokens, kept = draft.tokens, 0
        for count in range(1, len(tokens) + 1):
            if count < len(tokens) and not self._tokenizer.piece(tokens[count]).startswith(b" "):
                continue
            if self._more(tokens[:count], written):
                break
            kept = count
        return LabelHypothesis(tokens[:kept], draft.score, False)
