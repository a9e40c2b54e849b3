"""Plain text to what is to be spoken, whole or piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from speech.text.languages import resolve
from speech.tts.text_front_end.language_runs import language_runs
from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.places import place
from speech.tts.text_front_end.segments import SpokenStretch, StretchEnd
from speech.tts.text_front_end.sentences import Sentence, SentenceCutter


class TextReader:
    """Turns text that comes piece by piece into stretches of words; any pieces of a text give the same.

    Args:
        language: main language, a name that `speech.text.languages.resolve` knows.
        others: languages of words in other scripts; within one script the language never changes.

    Raises:
        LanguageError: if a language is unknown.
    """

    def __init__(self, language: str, others: Sequence[str] = ()) -> None:
        self._language = resolve(language).code
        self._others = tuple(resolve(other).code for other in others)
        self._cutter = SentenceCutter(self._language)
        self._text, self._place = "", 0
        self._line, self._column = 1, 1

    def feed(self, piece: str) -> list[SpokenStretch]:
        """Take more text; return the sentences that are complete.

        Raises:
            LanguageError: for letters or digits that cannot be spoken, with their line and column.
        """
        self._text += piece
        return self._read(self._cutter.feed(piece))

    def flush(self) -> list[SpokenStretch]:
        """End the text; return the sentences that are left. The next text starts at place 0.

        Raises:
            LanguageError: as `feed`.
        """
        found = self._read(self._cutter.flush())
        self._text, self._place = "", 0
        self._line, self._column = 1, 1
        return found

    def _read(self, cut: Sequence[Sentence]) -> list[SpokenStretch]:
        found: list[SpokenStretch] = []
        for sentence in cut:
            self._advance(sentence.start)
            end = StretchEnd.paragraph if sentence.ends_paragraph else StretchEnd.sentence
            found += stretches(sentence.text, sentence.start, self._language, self._others, end, self._locate)
        return found

    def _advance(self, position: int) -> None:
        """Forget the text before a sentence, but for its lines and columns."""
        passed = self._text[: position - self._place]
        lines = passed.count("\n")
        self._line += lines
        self._column = len(passed) - passed.rfind("\n") if lines else self._column + len(passed)
        self._text, self._place = self._text[len(passed) :], position

    def _locate(self, position: int) -> str:
        return place(self._text, position - self._place, self._line, self._column)


def stretches(
    text: str,
    start: int,
    language: str,
    others: Sequence[str],
    end: StretchEnd,
    locate: Callable[[int], str],
) -> list[SpokenStretch]:
    """The stretches of one sentence.

    Args:
        start: place of the sentence in the whole text.
        locate: names a place of the whole text for errors.

    Raises:
        LanguageError: for letters or digits that cannot be spoken, with their place.
    """
    found = []
    for run in language_runs(text, language, others, lambda position: locate(start + position)):
        first = start + run.start

        def located(position: int, first: int = first) -> str:
            return locate(first + position)

        spoken = normalise(text[run.start : run.end], run.language, located)
        length = run.end - run.start
        moved = spoken.mapped(range(first, first + length), range(first + 1, first + length + 1))
        found.append(SpokenStretch(moved, run.language))
    return [*found[:-1], replace(found[-1], end=end)]


def read_text(text: str, language: str, others: Sequence[str] = ()) -> list[SpokenStretch]:
    """The stretches of a whole text; see `TextReader`.

    Raises:
        LanguageError: if a language is unknown, or for letters or digits that cannot be spoken.
    """
    reader = TextReader(language, others)
    return [*reader.feed(text), *reader.flush()]
