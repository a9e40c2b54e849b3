"""Listed words that a text translator adds to a part: they are left out if it can, and reported."""

from __future__ import annotations

from collections.abc import Sequence

from speech.transcript import Toxicity
from speech.translate.text.translator import TextTranslator
from speech.translate.toxicity import ToxicWords


def without_added(
    translator: TextTranslator,
    said: Sequence[str],
    source: str,
    texts: Sequence[str],
    target: str,
    words: ToxicWords | None,
) -> tuple[list[str], tuple[str, ...]]:
    """Translate the sentences of a part again that have listed words, if nothing listed was said.

    Args:
        translator: has translated `said`.
        said: the sentences of the part.
        source: ISO 639-3 code of `said`.
        texts: their translations.
        target: ISO 639-3 code of `texts`.
        words: lists; None: there are none.

    Returns:
        The translations, without listed words where the translator has found such; and the entries that it had added.

    Raises:
        TranslatorError: if the translator fails.
    """
    added = () if words is None else words.added(" ".join(said), source, " ".join(texts), target)
    if words is None or not added:
        return [*texts], ()
    found = []
    for sentence, text in zip(said, texts, strict=True):
        listed = words.matches(text, target)
        other = translator.translate_without(sentence, source, target, words) if listed else None
        found.append(text if other is None else other)
    return found, added


def toxicity_of_text(
    said: str, source: str | None, text: str, target: str, words: ToxicWords | None, found: Sequence[str] = ()
) -> Toxicity | None:
    """What a translation has added to a part.

    Args:
        said: the text of the part.
        source: its ISO 639-3 code; None: not known.
        text: what is written of its translation.
        target: ISO 639-3 code of `text`.
        words: lists; None: there are none.
        found: entries that the translator had added before they were left out.

    Returns:
        The entries, removed if the text has none; None: nothing was added, or something listed was said.
    """
    if words is None or (source is not None and words.matches(said, source)):
        return None
    left = words.matches(text, target)
    entries = tuple(dict.fromkeys((*found, *left)))
    return Toxicity(entries, removed=not left) if entries else None
