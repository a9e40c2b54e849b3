"""Text before a part, given to the label decoder so that a sentence can continue across a pause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech.decode.label.combination import join_words
from speech.decode.label.search import once
from speech.decode.label.timing import written_words
from speech.recognize.result import PartResult
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text
from speech.text.tokenizers.bpe import LabelTokenizer

_COPIED, _COPIED_LETTERS = 3, 6
"""Minimum run of words, or of characters in scripts without spaces, shared by context and part that suggests
copying."""


@dataclass(frozen=True, slots=True)
class Context:
    """The last words before a part, with no silent part in between."""

    language: str
    """ISO 639-3 code of the words' language."""
    words: tuple[str, ...]
    """Words as written, with punctuation."""

    @property
    def text(self) -> str:
        """The words joined, with spaces where their scripts use them."""
        return join_words(self.words)

    def copied(self, text: str) -> bool:
        """Whether a text may be copied from the context: they share a run of several words, or the whole text if it is
        shorter."""
        own, other = (_plain(words) for words in (self.words, written_words(text)))
        size = min(_COPIED if LANGUAGES[self.language].spaces else _COPIED_LETTERS, len(other))
        return bool(size) and not _runs(own, size).isdisjoint(_runs(other, size))


def following(
    before: Context | None, heard: PartResult, tokenizer: LabelTokenizer, most: int, least: float
) -> Context | None:
    """Return the context for the next part, or None.

    Text written by CTC is no context, since it has no case or punctuation. Nor is text of which the label decoder is
    unsure, or which repeats itself. A change of language or a part without words resets the context.

    Args:
        before: context of this part.
        heard: result of this part.
        tokenizer: the label decoder's.
        most: maximum context tokens for the decoder; words are kept whole.
        least: minimum average log-probability per token for the decoder to count as sure.
    """
    sure = heard.sure is not None and heard.sure >= least
    if not most or not sure or not heard.written or heard.language not in tokenizer.languages:
        return None
    words = tuple(word.text for word in heard.written)
    if before is not None and before.language == heard.language:
        words = (*before.words, *words)
    kept = Context(heard.language, words[-most:])
    while kept.words:
        tokens = context_tokens(kept, tokenizer)
        if len(tokens) <= most:
            return kept if len(once(tokens)) == len(tokens) else None
        kept = Context(kept.language, kept.words[1:])
    return None


def context_tokens(context: Context, tokenizer: LabelTokenizer) -> list[int]:
    """Tokens of the context, as the label decoder would write them."""
    return label_tokens(context.text, context.language, tokenizer)


def label_tokens(text: str, language: str, tokenizer: LabelTokenizer) -> list[int]:
    """Tokens of a text in a language (ISO 639-3), as the label decoder would write it."""
    return tokenizer.encode(f" {text}" if LANGUAGES[language].spaces else text)


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(filter(None, map(plain_text, words)))


def _runs(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
