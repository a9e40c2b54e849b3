"""Texts of turns, finished or not: JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from speech.errors import DataError, SpeechError
from speech.files import printable, read_text, write_atomically
from speech.text.languages import resolve


class WrittenTurn(NamedTuple):
    """What has been said so far."""

    id: str
    language: str
    """ISO 639-3."""
    text: str
    finished: bool
    source: str


def write_turns(path: Path, turns: Iterable[WrittenTurn]) -> None:
    """Write a file of turns, which appears whole or not at all.

    Raises:
        FileError: if it cannot be written.
    """
    write_atomically(path, "".join(json.dumps(own._asdict(), ensure_ascii=False) + "\n" for own in turns))


def read_turns(path: Path) -> list[WrittenTurn]:
    """Read a file of turns.

    Raises:
        DataError: naming the line, if it is no turn, or the file is missing or empty.
    """
    where = printable(path)
    if not path.is_file():
        raise DataError("no such file", where=where, fix="Write it with recipes/dialogue/recognised_turns.py.")
    found = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line:
            found.append(_turn(line, f"{where}, line {number}"))
    if not found:
        raise DataError("it has no line", where=where)
    return found


def _turn(line: str, where: str) -> WrittenTurn:
    try:
        record = json.loads(line)
        finished = record["finished"]
        name, language, text, source = (str(record[key]) for key in ("id", "language", "text", "source"))
        turn = WrittenTurn(name, language, text, finished, source)
        code = resolve(turn.language).code
    except (ValueError, KeyError, TypeError, RecursionError, SpeechError) as error:
        raise DataError(f"it is no turn: {error}", where=where) from error
    if not isinstance(finished, bool) or not turn.text.strip():
        raise DataError("it is no turn: text must not be empty, finished be true or false", where=where)
    return turn._replace(language=code)
