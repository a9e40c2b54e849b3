"""What has been said just before a part: a label decoder is told, so that a sentence can go on over a pause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech.decode.label.mending import joined
from speech.decode.label.search import once
from speech.decode.label.timing import written_words
from speech.recognize.result import PartResult
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text
from speech.text.tokenizers.bpe import LabelTokenizer

_COPIED, _COPIED_LETTERS = 3, 6
"""Words running, or characters of scripts without spaces, that are in the text before and in a part: they may have been
copied."""


@dataclass(frozen=True, slots=True)
class Context:
    """The end of what has been said before a part, without a pause in which nobody spoke."""

    language: str
    """ISO 639-3, in which it has been said and written."""
    words: tuple[str, ...]
    """As they are written, with signs."""

    @property
    def text(self) -> str:
        """The words, with spaces where their scripts have them."""
        return joined(self.words)

    def copied(self, text: str) -> bool:
        """Whether a text may have been copied from it: it says several words running that are in it, or, where they are
        fewer, all that it says."""
        own, other = (_plain(words) for words in (self.words, written_words(text)))
        size = min(_COPIED if LANGUAGES[self.language].spaces else _COPIED_LETTERS, len(other))
        return bool(size) and not _runs(own, size).isdisjoint(_runs(other, size))


def following(
    before: Context | None, heard: PartResult, tokenizer: LabelTokenizer, most: int, least: float
) -> Context | None:
    """What is said before the next part, or None.

    What CTC has written is no context: it has no case and no signs. Nor is a text that the label decoder is unsure of,
    or that repeats itself. Behind a part in another language, or in which nothing is said, it begins anew.

    Args:
        before: what was said before this part.
        heard: what this part says.
        tokenizer: of the label decoder.
        most: tokens of it that the decoder is told; words are kept whole.
        least: log-probability of a token, on average, from which the decoder is sure of what it has written.
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
    """As the decoder would have written it."""
    return label_tokens(context.text, context.language, tokenizer)


def label_tokens(text: str, language: str, tokenizer: LabelTokenizer) -> list[int]:
    """Of a text in a language (ISO 639-3), as a label decoder would write it."""
    return tokenizer.encode(f" {text}" if LANGUAGES[language].spaces else text)


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(filter(None, map(plain_text, words)))


def _runs(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
