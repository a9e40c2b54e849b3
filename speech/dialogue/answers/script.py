"""An answerer without a language model: its answers are the lines of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speech.dialogue.answers.answerer import ChatMessage, KnownAnswer, TextPiece, users_texts
from speech.errors import DataError
from speech.files import printable
from speech.text.lines import read_lines

_MOST_LETTERS = 4000
"""Maximum length of an answer: some minutes of speech."""


class ScriptAnswerer:
    """See `Answerer`. The first turn of the user gets the first answer, and so on; behind the last comes the first.

    Args:
        answers: at least one, none of them empty.
    """

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = tuple(answers)

    @classmethod
    def read(cls, path: Path) -> ScriptAnswerer:
        """Read one answer a line from a UTF-8 file. Blank lines, and lines that begin with #, are none.

        Raises:
            FileError: if the file cannot be read, or a line is no text.
            DataError: if a line is too long, or there is no answer; file and line are named.
        """
        answers = []
        for number, line in enumerate(read_lines(path), start=1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if len(text) > _MOST_LETTERS:
                where = f"{printable(path)}:{number}"
                found = f"is an answer of {len(text)} letters, at most {_MOST_LETTERS}"
                raise DataError(found, where=where, fix="Make several lines of it.")
            answers.append(text)
        if not answers:
            raise DataError("has no answer", where=printable(path), fix="Write one a line; lines with # are none.")
        return cls(answers)

    def answer(self, messages: Sequence[ChatMessage], tools: Sequence[Mapping[str, Any]] = ()) -> KnownAnswer:
        """See `Answerer`. No tool is called; before the user said anything, the answer is empty."""
        turns = len(users_texts(messages))
        return KnownAnswer([TextPiece(self._answers[(turns - 1) % len(self._answers)])] if turns else [])
