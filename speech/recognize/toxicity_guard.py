"""Decodes translations again without the toxic words that they add (MinTox, Costa-jussà et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from speech.decode.label.banned import BannedSequences
from speech.decode.label.search import LabelHypothesis, likeliest, once
from speech.errors import ConfigError
from speech.recognize.request import ENGLISH
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.transcript import Toxicity
from speech.translate.toxicity import ToxicWords

ROUNDS = 3
"""Maximum number of times that a translation is decoded again."""


class ToxicityGuard:
    """Replaces translations into English that add toxicity.

    Args:
        words: lists of toxic words.
        tokenizer: of the label decoder.

    Raises:
        ConfigError: if there is no list of English.
    """

    def __init__(self, words: ToxicWords, tokenizer: LabelTokenizer) -> None:
        if ENGLISH not in words.languages:
            raise ConfigError("toxic words without a list of English", fix=f"Add {ENGLISH}.txt.")
        self.words, self._tokenizer = words, tokenizer

    @classmethod
    def read(cls, folder: str | Path | None, tokenizer: LabelTokenizer) -> ToxicityGuard | None:
        """Read the lists of a folder; None: no guard. See `ToxicWords.read` and `ToxicityGuard` for errors."""
        return None if folder is None else cls(ToxicWords.read(Path(folder)), tokenizer)

    def __call__(
        self,
        best: LabelHypothesis,
        language: str,
        search: Callable[[Sequence[int], BannedSequences | None], Sequence[LabelHypothesis]],
        heard: Iterable[str] = (),
    ) -> tuple[LabelHypothesis, Toxicity | None]:
        """Check a translation, and replace it if it adds toxicity.

        The entries that it contains are banned as listed, in lower case, upper case and capitalised, with and without a
        space before them, and as the tokens that spell them in the rejected texts. If a later text contains other
        entries, these are banned too.

        Args:
            best: the translation.
            language: ISO 639-3 code of the speech.
            search: returns hypotheses after a prompt without the banned sequences; called only if the translation has
                listed words, first for the decoder's transcript.
            heard: CTC's texts of the speech, if it knows the language. CTC misspells words and the decoder paraphrases,
                so the speech counts as toxic if either of them writes a listed word.

        Returns:
            The translation, or the likeliest one without any listed word; and what was found. If every text has listed
            words, the translation stays.
        """
        if not self.words.matches(self._text(best), ENGLISH):
            return best, None
        transcript = likeliest(search(self._tokenizer.prompt(language), None))
        said = "\n".join((*heard, self._text(transcript)))
        added = self.words.added(said, language, self._text(best), ENGLISH)
        if not added:
            return best, None
        prompt = self._tokenizer.prompt(language, translate=True)
        rejected: Sequence[LabelHypothesis] = [best]
        sequences: set[tuple[int, ...]] = set()
        for _ in range(ROUNDS):
            for one in rejected:
                sequences.update(self.sequences(one))
            found = search(prompt, BannedSequences(sequences))
            clean = [one for one in found if not self.words.matches(self._text(one), ENGLISH)]
            if clean:
                return likeliest(clean), Toxicity(added, removed=True)
            rejected = found
        return best, Toxicity(added, removed=False)

    def _text(self, hypothesis: LabelHypothesis) -> str:
        return self._tokenizer.decode(once(hypothesis.tokens))

    def sequences(self, hypothesis: LabelHypothesis) -> Iterator[tuple[int, ...]]:
        """Token sequences of the entries in a text."""
        text = self._tokenizer.decode(hypothesis.tokens)
        for entry in self.words.matches(text, ENGLISH):
            for form in (entry.lower(), entry.upper(), entry.capitalize()):
                for shown in (form, f" {form}"):
                    yield tuple(self._tokenizer.encode(shown))
            for first, last in self.words.places(entry, text, ENGLISH):
                yield self._spelled(hypothesis.tokens, len(text[:first].encode()), len(text[:last].encode()))

    def _spelled(self, tokens: Sequence[int], first: int, last: int) -> tuple[int, ...]:
        """The tokens that spell the bytes `first .. last` of their text."""
        found, end = [], 0
        for token in tokens:
            begin, end = end, end + len(self._tokenizer.piece(token))
            if begin < last and end > first:
                found.append(token)
        return tuple(found)
