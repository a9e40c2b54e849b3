"""Cut text into sentences, whole or as it comes piece by piece."""

from __future__ import annotations

import re
from dataclasses import dataclass

from speech.text.languages import resolve
from speech.tts.text_front_end.abbreviated import is_abbreviation

LONGEST = 600
"""Most characters of a sentence; a longer one is cut behind its last comma, else at its last space."""
OBJECT = "\ufffc"
"""Stands for something that is no text; a sentence may end right before it."""
_ENDS = ".!?…。！？｡।॥۔؟።"
_AT_ONCE = "。！？｡।॥።"
"""Sentence ends that need no space behind them."""
_CLOSERS = "\"'”’»)]）」』】›*"
_END = re.compile(rf"[{re.escape(_ENDS)}]+[{re.escape(_CLOSERS)}]*(?:[ \u00a0\u202f]»(?=\s|\Z))?|\n[^\S\n]*\n\s*")
_OPENERS = "\"'“„‘«»([（「『【‹¿¡*—–-"
_VISIBLE = re.compile(rf"[\s{re.escape(_OPENERS)}]*(\S?)")
_VISIBLE_CHARACTER = re.compile(r"\S")
_COMMAS = re.compile(r"[,;:，、；：—–]\s*")
_SPACES = re.compile(r"\s+")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text, without the space around it."""

    text: str
    start: int
    """First character in the whole text."""
    ends_paragraph: bool = False
    """Whether a blank line follows, or the text ends."""

    @property
    def end(self) -> int:
        """One behind the last character in the whole text."""
        return self.start + len(self.text)


class SentenceCutter:
    """Finds sentences in text that comes piece by piece; any pieces of a text give the same sentences.

    A sentence is given as soon as its end is certain, which takes the first letter behind it. A sentence ends with a
    full stop, question or exclamation mark and a space, but not behind titles, abbreviations, initials and, in German,
    small numbers, nor before a word in lower case; a blank line always ends it.

    Args:
        language: a name that `speech.text.languages.resolve` knows.

    Raises:
        LanguageError: if the language is unknown.
    """

    def __init__(self, language: str) -> None:
        self._language = resolve(language).code
        self._buffer = ""
        self._place = 0
        """Place of the buffer in the whole text."""

    def feed(self, piece: str) -> list[Sentence]:
        """Take more text; return the sentences whose end it makes certain."""
        self._buffer += piece
        return self._cut(ended=False)

    def flush(self) -> list[Sentence]:
        """End the text, and return the sentences that are left. The next text starts at place 0."""
        found = self._cut(ended=True)
        self._buffer, self._place = "", 0
        return found

    def _cut(self, ended: bool) -> list[Sentence]:
        found: list[Sentence] = []
        position = _skipped(self._buffer, 0)
        while position < len(self._buffer):
            end = self._end(position, ended)
            if end is None:
                break
            text = self._buffer[position:end].rstrip()
            following = _skipped(self._buffer, end)
            space = self._buffer[position + len(text) : following]
            last = following == len(self._buffer) or _PARAGRAPH.search(space) is not None
            found.append(Sentence(text, self._place + position, last))
            position = following
        self._buffer = self._buffer[position:]
        self._place += position
        return found

    def _end(self, start: int, ended: bool) -> int | None:
        """Where the sentence from `start` ends; None if more text decides."""
        text, longest = self._buffer, start + LONGEST
        for found in _END.finditer(text, start, longest + 1):
            following = _VISIBLE.match(text, found.end())[1]  # type: ignore[index]  # it matches everywhere
            if not following and not ended:
                return self._forced(start) if found.start() > longest else None
            if self._is_end(start, found, following):
                return found.end() if found.end() <= longest else self._forced(start)
        if _VISIBLE_CHARACTER.search(text, longest):
            return self._forced(start)
        return len(text) if ended else None

    def _forced(self, start: int) -> int:
        """Where to cut a sentence that has no end within `LONGEST` characters."""
        for pattern in (_COMMAS, _SPACES):
            ends = [found.end() for found in pattern.finditer(self._buffer, start + LONGEST // 3, start + LONGEST)]
            if ends:
                return ends[-1]
        return start + LONGEST

    def _is_end(self, start: int, found: re.Match[str], following: str) -> bool:
        """Whether a candidate ends a sentence, from what is before it and the first letter behind it."""
        mark, text = found[0], self._buffer
        if mark[0] == "\n" or mark[0] in _AT_ONCE:
            return True
        if found.end() < len(text) and not (text[found.end()].isspace() or text[found.end()] == OBJECT):
            return False
        if following.islower():
            return False
        if mark[0] != "." or mark.startswith(".."):
            return True
        return not is_abbreviation(text[start : found.start() + 1], following, self._language)


def _skipped(text: str, position: int) -> int:
    """The place of the first character that is no space, from a position on."""
    found = _VISIBLE_CHARACTER.search(text, position)
    return found.start() if found else len(text)


def sentences(text: str, language: str) -> list[Sentence]:
    """Cut a whole text; see `SentenceCutter`.

    Raises:
        LanguageError: if the language is unknown.
    """
    cutter = SentenceCutter(language)
    return [*cutter.feed(text), *cutter.flush()]
