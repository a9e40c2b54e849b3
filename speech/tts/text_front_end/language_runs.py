"""Runs of one language in text of several scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from speech.errors import LanguageError
from speech.text.languages import resolve
from speech.text.scripts import script, scripts_of
from speech.tts.text_front_end.places import place

_SYMBOLS = frozenset("μΩπ")
"""Greek letters in units and formulas: they start no run in text of another script."""


@dataclass(frozen=True, slots=True)
class LanguageRun:
    """A part of a text in one language."""

    start: int
    end: int
    language: str
    """ISO 639-3."""


def language_runs(
    text: str, language: str, others: Sequence[str] = (), locate: Callable[[int], str] | None = None
) -> list[LanguageRun]:
    """Cut a text where the script of its letters changes.

    Letters in the script of `language` are in `language`, all others in the first of `others` with their script. What
    has no script, such as digits and punctuation, belongs to the run before it, at the start to the first
    run.
    Opening punctuation before a change belongs to the new run.

    Args:
        language: main language, as `speech.text.languages.resolve` knows it.
        others: languages that may occur within the text.
        locate: names the place of a character for errors; by default its line and column in `text`.

    Raises:
        LanguageError: for letters that none of the languages is written with, with their place.
    """
    main = resolve(language).code
    codes = [main, *(resolve(other).code for other in others)]
    runs: list[LanguageRun] = []
    for position, character in enumerate(text):
        written = None if character in _SYMBOLS else script(character)
        if written is None:
            continue
        found = next((code for code in codes if written in scripts_of(code)), None)
        if found is None:
            raise LanguageError(
                f"{character!r} is in a script ({written}) that {resolve(main).name} is not written in",
                where=(locate or partial(place, text))(position),
                fix="Name the language of these words as another language of the text.",
            )
        if not runs:
            runs.append(LanguageRun(0, len(text), found))
        elif runs[-1].language != found:
            start = _start(text, position)
            runs[-1] = LanguageRun(runs[-1].start, start, runs[-1].language)
            runs.append(LanguageRun(start, len(text), found))
    return runs or [LanguageRun(0, len(text), main)]


def _start(text: str, position: int) -> int:
    """Where a run starts whose first letter is at `position`: opening punctuation before it belongs to it."""
    while position and text[position - 1] in "([{«“„‘¿¡「『\"'":
        position -= 1
    return position
