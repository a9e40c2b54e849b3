"""Parse JSON objects in users' files: one per line, in lists, or over several lines, with one-line error messages."""

from __future__ import annotations

import json
import math
import re
import reprlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from speech.errors import DataError

_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"[ \t\r\n]*")
_decoder = json.JSONDecoder()
_short = reprlib.Repr(maxlevel=2, maxstring=60, maxother=60, maxlong=60, maxdict=3, maxlist=3)


def json_object(line: bytes, where: str) -> dict[str, Any]:
    """Parse the JSON object of a line.

    Raises:
        DataError: with this `where`, if the line is not a JSON object in UTF-8.
    """
    try:
        text = line.decode("utf-8-sig")
        record = json.loads(text)
    except UnicodeDecodeError as error:
        found = f"is not UTF-8: byte {error.start} of the line is 0x{error.object[error.start]:02x}"
        raise DataError(found, where=where, fix="Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"not a JSON object: {why_no_json(error)}", where=where) from error
    return checked_object(record, text, where)


def why_no_json(error: ValueError | RecursionError) -> str:
    """Describe a JSON parser's error in one line."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    return "it has a number of too many digits"  # Python limits the digits of integers


def checked_object(record: Any, text: str, where: str) -> dict[str, Any]:
    """Return `record`, parsed from `text`, after checking that it is an object without lone surrogates.

    Raises:
        DataError: with this `where`, if it is not.
    """
    if not isinstance(record, dict):
        raise DataError(f"is a JSON {type(record).__name__}, expected an object", where=where)
    if _ESCAPED_HALF.search(text) and not _is_unicode(record):
        raise DataError("has half of a surrogate pair, which is no character", where=where)
    return record


def _is_unicode(value: object) -> bool:
    waiting = [value]
    while waiting:  # no recursion: JSON may be nested deeper than Python's call stack allows
        one = waiting.pop()
        if isinstance(one, str) and _HALF.search(one):
            return False
        waiting += [*one.keys(), *one.values()] if isinstance(one, dict) else one if isinstance(one, list) else ()
    return True


def as_seconds(value: Any) -> Any:
    """Convert an integer to float, or to infinity if it is too large; return other values unchanged."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return float(value) if abs(value) < 1 << 1023 else math.inf


def shown(value: Any) -> str:
    """Shorten a value for a one-line message."""
    return _short.repr(value)


class JsonText:
    """JSON objects in a text that may contain other lines, each with the number of its first line.

    Args:
        lines: lines of the text, without line endings.
        where: name of the text in errors.
    """

    def __init__(self, lines: Sequence[str], where: str) -> None:
        self._text = "\n".join(lines)
        self._starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
        self._where = where
        self._element = 0  # start of the value being read

    def objects(self, place: int) -> tuple[list[tuple[int, dict[str, Any]]], int]:
        """Read the object, or the list of objects, that begins in a line; it may span several lines.

        Args:
            place: index of the line, from 0.

        Returns:
            (line number from 1, object) of each object, and the index of the line after them.

        Raises:
            DataError: with line and reason, if there is no valid object.
        """
        try:
            found, end = self._read(self._skip(self._starts[place]))
            behind = self._line(end)
            if self._text[end : self._starts[behind]].strip():
                raise json.JSONDecodeError("Extra data", self._text, end)
        except json.JSONDecodeError as error:
            begun = "" if error.lineno == place + 1 else f", in what begins in line {place + 1}"
            fault = f"not a JSON object: {why_no_json(error)}{begun}"
            raise DataError(fault, where=f"{self._where}:{error.lineno}") from error
        except (ValueError, RecursionError) as error:
            where = f"{self._where}:{self._line(self._element)}"
            raise DataError(f"not a JSON object: {why_no_json(error)}", where=where) from error
        return [
            (number, checked_object(value, self._text[first:last], f"{self._where}:{number}"))
            for number, first, last, value in ((self._line(first), first, last, value) for first, last, value in found)
        ], behind

    def _read(self, place: int) -> tuple[list[tuple[int, int, Any]], int]:
        """(start, end, value) of each element of a list, or of a single value; and the end of the whole text read."""
        if self._text[place] != "[":
            found = [self._value(place)]
            return found, found[0][1]
        found, place = [], self._skip(place + 1)
        mark = self._text[place : place + 1]
        while mark != "]":
            found.append(self._value(place))
            place = self._skip(found[-1][1])
            mark = self._text[place : place + 1]
            if mark == ",":
                place = self._skip(place + 1)
            elif mark != "]":
                raise json.JSONDecodeError("Expecting ',' delimiter", self._text, place)
        return found, place + 1

    def _value(self, place: int) -> tuple[int, int, Any]:
        self._element = place
        value, end = _decoder.raw_decode(self._text, place)
        return place, end, value

    def _skip(self, place: int) -> int:
        found = _SPACE.match(self._text, place)
        return found.end() if found else place

    def _line(self, place: int) -> int:
        """Line number of a character, from 1."""
        return bisect_right(self._starts, place)
