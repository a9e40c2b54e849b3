"""Decodes translations again without the toxic words that they add (MinTox, Costa-jussà et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from speech.decode.label.banned import BannedSequences
from speech.decode.label.search import LabelHypothesis, likeliest, once
from speech.errors import ConfigError
from speech.text.languages import resolve
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.transcript import Toxicity
from speech.translate.toxicity import ROUNDS, ToxicWords, covering, forms

Search = Callable[[BannedSequences], Sequence[LabelHypothesis]]
Said = Callable[[], Iterable[str]]
Direction = tuple[str, str]
"""ISO 639-3 codes of the speech and the translation."""


class ToxicityGuard:
    """Replaces translations that add toxicity.

    Args:
        words: lists of toxic words.
        tokenizer: of a label decoder that translates.

    Raises:
        ConfigError: if there is no list of a language that the decoder translates into.
    """

    def __init__(self, words: ToxicWords, tokenizer: LabelTokenizer) -> None:
        if words.languages.isdisjoint(tokenizer.targets):
            targets = " or ".join(resolve(code).name for code in tokenizer.targets)
            raise ConfigError(f"toxic words without a list of {targets}", fix=f"Add {tokenizer.targets[0]}.txt.")
        self._words, self._tokenizer = words, tokenizer

    @classmethod
    def of(cls, words: ToxicWords | None, tokenizer: LabelTokenizer) -> ToxicityGuard | None:
        """A guard with these lists; None if there are none, or the decoder translates nothing. Raises what the class
        does."""
        return None if words is None or not tokenizer.targets else cls(words, tokenizer)

    def __call__(
        self,
        best: LabelHypothesis,
        direction: Direction,
        search: Callable[[Sequence[int], BannedSequences | None], Sequence[LabelHypothesis]],
        heard: Iterable[str] = (),
    ) -> tuple[LabelHypothesis, Toxicity | None]:
        """Check the translation of a complete part, and replace it if it adds toxicity.

        The entries that it contains are banned as listed, in lower case, upper case and capitalised, with and without a
        space before them, and as the tokens that spell them in the rejected texts. If a later text contains other
        entries, these are banned too.

        Args:
            best: the translation.
            direction: of the translation.
            search: returns hypotheses after a prompt without the banned sequences; called only if the translation has
                listed words, first for the decoder's transcript if there is a list of the language.
            heard: CTC's texts of the speech, if it knows the language. CTC misspells words and the decoder paraphrases,
                so the speech counts as toxic if either of them writes a listed word.

        Returns:
            The translation, or the likeliest one without any listed word; and what was found. If every text has listed
            words, the translation stays.
        """

        def said() -> tuple[str, ...]:
            transcript = likeliest(search(self._tokenizer.prompt(direction[0]), None))
            return (*heard, self._tokenizer.decode(once(transcript.tokens)))

        prompt = self._tokenizer.prompt(direction[0], target=direction[1])
        return self._checked(best, direction, lambda banned: search(prompt, banned), said)

    def draft(
        self, best: LabelHypothesis, direction: Direction, search: Search, said: Said, written: Sequence[int]
    ) -> tuple[LabelHypothesis, Toxicity | None]:
        """Check a draft in the same way. What has been written is never taken back, so no listed word may be in a
        draft: if every text has some, it ends before the first.

        Args:
            best: the draft: the tokens behind `written`.
            direction: of the translation.
            search: returns other drafts, without the banned sequences; called only if the draft adds toxicity.
            said: texts of the speech so far; called only if the draft has listed words and there is a list of the
                language.
            written: tokens of the translation so far. A phrase of several words may begin in them.

        Returns:
            The draft, or another one that has no more listed words than `written`; and what was found.
        """
        found, toxicity = self._checked(best, direction, search, said, written)
        if toxicity is None or toxicity.removed:
            return found, toxicity
        return self._cut(found, direction[1], written), Toxicity(toxicity.found, removed=True)

    def _checked(
        self, best: LabelHypothesis, direction: Direction, search: Search, said: Said, written: Sequence[int] = ()
    ) -> tuple[LabelHypothesis, Toxicity | None]:
        """The text, or the likeliest other one that has no more listed words than `written`, if there is any."""
        language, target = direction
        found = self._more(best.tokens, target, written)
        known = language in self._words.languages
        if not found or (known and any(self._words.matches(text, language) for text in said())):
            return best, None
        rejected: Sequence[LabelHypothesis] = [best]
        sequences: set[tuple[int, ...]] = set()
        for _ in range(ROUNDS):
            for one in rejected:
                for tokens in {tuple(one.tokens), (*written, *one.tokens)}:
                    sequences.update(self._sequences(tokens, target))
            rejected = search(BannedSequences(sequences, written))
            clean = [one for one in rejected if not self._more(one.tokens, target, written)]
            if clean:
                return likeliest(clean), Toxicity(found, removed=True)
        return best, Toxicity(found, removed=False)

    def _more(self, tokens: Sequence[int], target: str, written: Sequence[int]) -> tuple[str, ...]:
        """Entries of a text alone, and those that it completes."""
        words, own = self._words, once(tokens)
        entries = words.matches(self._tokenizer.decode(own), target)
        if not written:
            return entries
        before, text = self._tokenizer.decode(written), self._tokenizer.decode([*written, *own])
        known = words.matches(before, target)
        completed = (
            entry
            for entry in words.matches(text, target)
            if entry not in known or len(words.places(entry, text, target)) > len(words.places(entry, before, target))
        )
        return tuple(dict.fromkeys((*entries, *completed)))

    def _cut(self, draft: LabelHypothesis, target: str, written: Sequence[int]) -> LabelHypothesis:
        """The draft up to the word that completes its first entry."""
        tokens, kept = draft.tokens, 0
        for count in range(1, len(tokens) + 1):
            if count < len(tokens) and not self._tokenizer.piece(tokens[count]).startswith(b" "):
                continue
            if self._more(tokens[:count], target, written):
                break
            kept = count
        return LabelHypothesis(tokens[:kept], draft.score, False)

    def _sequences(self, tokens: Sequence[int], target: str) -> Iterator[tuple[int, ...]]:
        """Token sequences of the entries in a text."""
        text = self._tokenizer.decode(tokens)
        lengths = [len(self._tokenizer.piece(token)) for token in tokens]
        for entry in self._words.matches(text, target):
            for form in forms(entry):
                for shown in (form, f" {form}"):
                    yield tuple(self._tokenizer.encode(shown))
            for first, last in self._words.places(entry, text, target):
                yield covering(tokens, lengths, len(text[:first].encode()), len(text[:last].encode()))
