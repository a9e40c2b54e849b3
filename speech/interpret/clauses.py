"""Cuts a translation that is being written into what is said at once: sentences, and clauses of them.

Pure: times `now` are seconds of any clock that goes forward.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from speech.events import TranslationEvent
from speech.interpret.settings import InterpretSettings
from speech.transcript import Word, join
from speech.tts.text_front_end.abbreviated import is_abbreviation

_SENTENCE_ENDS, _CLAUSE_ENDS = ".!?…。！？।؟", ",;:，、；：—–"
_LOOSE = re.compile(r"\s+([,.;:!?…]+(?=\s|$)|['’]\w{1,2}\b)")
_CLOSERS = "\"'”’»)]）」』】›"


@dataclass(frozen=True, slots=True)
class Clause:
    """Words that are said together."""

    words: tuple[Word, ...]
    """With the times of the speech that they translate."""
    written_s: float
    """When the last of them was written."""
    ends_sentence: bool

    @property
    def text(self) -> str:
        """As it is said: without the spaces before punctuation and clitics that drafts may have."""
        return _LOOSE.sub(r"\1", join(self.words))


class Clauses:
    """Takes the texts of segments, each of which only grows, and gives clauses.

    Args:
        settings: how long words wait.
        segment, taken: number of the segment that is under way, and of its words that are not given.
    """

    def __init__(self, settings: InterpretSettings, segment: int = -1, taken: int = 0) -> None:
        self.settings = settings
        self._segment, self._taken = segment, taken
        self._open: list[Word] = []
        """Words of a clause whose end has not been written."""
        self._since_s, self._written_s = 0.0, 0.0
        """When the first and the last of them were written."""
        self._ready: deque[Clause] = deque()

    def __bool__(self) -> bool:
        return bool(self._ready)

    @property
    def waits_until_s(self) -> float | None:
        """When the patience with a clause that has no end ends; None: there is none of enough words."""
        return self._since_s + self.settings.patience_s if len(self._open) > self.settings.least_words else None

    def hear(self, event: TranslationEvent, now: float) -> None:
        """Take the translation of a segment so far: its words that no later event takes back."""
        if event.segment != self._segment:
            self._close(now)
            self._segment, self._taken = event.segment, 0
        words = written(event)
        for word in words[self._taken :]:
            self._add(word, event.target, now)
        self._taken = max(self._taken, len(words))
        if event.is_final:
            self._close(now)

    def flush(self, now: float) -> None:
        """No more text will come."""
        self._close(now)

    def cut(self) -> None:
        """Say what has been written of a clause without its end. Its last word may belong to what follows: it stays."""
        head, self._open = self._open[:-1], self._open[-1:]
        if head:
            self._ready.append(Clause(tuple(head), self._written_s, ends_sentence=False))
        self._since_s = self._written_s

    def take(self) -> Clause:
        """The next clause, with those behind it up to the end of the sentence that are ready."""
        words, clause = list[Word](), self._ready.popleft()
        while True:
            words += clause.words
            if clause.ends_sentence or not self._ready:
                return Clause(tuple(words), clause.written_s, clause.ends_sentence)
            clause = self._ready.popleft()

    def _add(self, word: Word, language: str, now: float) -> None:
        if not self._open:
            self._since_s = now
        self._open.append(word)
        self._written_s = now
        ends = word.text.rstrip(_CLOSERS)[-1:]
        if ends and ends in _SENTENCE_ENDS and not self._abbreviated(language):
            self._close(now)
        elif ends and ends in _CLAUSE_ENDS and len(self._open) >= self.settings.least_words:
            self._close(now, ends_sentence=False)

    def _abbreviated(self, language: str) -> bool:
        return is_abbreviation(join(self._open), "", language)

    def _close(self, now: float, *, ends_sentence: bool = True) -> None:
        if self._open:
            self._ready.append(Clause(tuple(self._open), now, ends_sentence))
            self._open = []


def written(event: TranslationEvent) -> Sequence[Word]:
    """The words of a segment so far that no later event takes back."""
    return event.words if event.is_final else event.words[: event.stable]


def source_span(words: Sequence[Word]) -> tuple[float, float]:
    """First and last second of the speech that words translate."""
    return min(word.start_s for word in words), max(word.end_s for word in words)
