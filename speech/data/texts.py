"""References and hypotheses as files hold them: id -> text, with what is known of its languages.

Read are JSON lines (manifests, and what `speech transcribe --format jsonl` prints), lines of an id and a text, and
folders of `ID.txt`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speech.data.manifest import json_object
from speech.errors import DataError, LanguageError
from speech.text.languages import resolve

_TAG = re.compile(r"<tag\s+([^<>]*)>")
_IDS = ("id", "utterance_id")
_PATHS = ("path", "audio")
_LISTED = 10


@dataclass(frozen=True, slots=True)
class TaggedWord:
    """A word as a file gives it."""

    text: str
    language: str | None
    """ISO 639-3, if it is given."""
    tagged: bool = False
    """Whether it is marked as a point of interest."""
    emitted_s: float | None = None
    """When it was shown, from the start of the audio, if it is given."""


@dataclass(frozen=True, slots=True)
class Text:
    """One side of an utterance."""

    id: str
    text: str
    languages: tuple[str, ...] = ()
    """ISO 639-3, the main one first, those of words among them."""
    words: tuple[TaggedWord, ...] = ()
    """Empty unless the file tells more about words than what they are."""
    audio: Path | None = None
    duration_s: float | None = None


def read_texts(path: Path) -> dict[str, Text]:
    """All utterances of a file or folder, in its order.

    Words in `<tag ...>` are points of interest.

    Raises:
        DataError: naming file, line and field, for what cannot be read and for an id that is there twice.
    """
    if path.is_dir():
        files = sorted(path.glob("*.txt"))
        if not files:
            raise DataError("has no .txt file", where=str(path))
        return {file.stem: _text(file.stem, _content(file).strip()) for file in files}
    found: dict[str, Text] = {}
    for number, line in enumerate(_content(path).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        item = _from_json(line, where, path.parent) if line.lstrip().startswith("{") else _from_line(line)
        if item.id in found:
            raise DataError(f"{item.id!r} is there twice", where=where)
        found[item.id] = item
    if not found:
        raise DataError("has no utterance", where=str(path))
    return found


def marked(text: str) -> tuple[str, tuple[TaggedWord, ...]]:
    """A text without its `<tag ...>`, and its words if it has any of them."""
    found = _text("", text)
    return found.text, found.words


def check_ids(reference: Mapping[str, Text], hypothesis: Mapping[str, Text], where: str) -> None:
    """Demand that both have the same ids.

    Raises:
        DataError: naming those that are missing or too many, with `where` for the hypotheses.
    """
    missing = [key for key in reference if key not in hypothesis]
    extra = [key for key in hypothesis if key not in reference]
    faults = []
    if missing:
        faults.append(f"lacks {len(missing)} of {len(reference)} ids: {_some(missing)}")
    if extra:
        faults.append(f"has {len(extra)} ids that are not in the reference: {_some(extra)}")
    if faults:
        raise DataError("; ".join(faults), where=where, fix="An utterance that was not recognised has an empty text.")


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError("no such file", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8: {error.reason}", where=str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _from_line(line: str) -> Text:
    key, *rest = line.strip().split(maxsplit=1)
    return _text(key, rest[0] if rest else "")


def _from_json(line: str, where: str, root: Path) -> Text:
    record = json_object(line, where)
    if "error" in record and "text" not in record:
        raise DataError(f"was not transcribed: {record['error']}", where=where)
    text = record.get("text")
    if not isinstance(text, str):
        raise DataError("is missing" if text is None else f"is {text!r}, expected a text", where=f"{where}:text")
    audio = next((record[key] for key in _PATHS if isinstance(record.get(key), str)), None)
    key = next((record[key] for key in _IDS if isinstance(record.get(key), str)), None)
    key = key or (Path(audio).stem if audio else None)
    if not key:
        raise DataError("is missing, and so are path and audio", where=f"{where}:id")
    words = _words(record.get("words"), where)
    spoken = [word.language for word in words if word.language]
    return _text(
        key,
        text,
        tuple(dict.fromkeys([*_languages(record, where), *spoken])),
        words,
        root / audio if audio else None,
        _seconds(record.get("duration"), f"{where}:duration"),
    )


def _text(
    key: str,
    text: str,
    languages: tuple[str, ...] = (),
    words: tuple[TaggedWord, ...] = (),
    audio: Path | None = None,
    duration_s: float | None = None,
) -> Text:
    if not words and _TAG.search(text):
        words = tuple(_tagged(text))
    return Text(key, _TAG.sub(r"\1", text), languages, words, audio, duration_s)


def _tagged(text: str) -> Iterable[TaggedWord]:
    """Words of a text with `<tag ...>`."""
    end = 0
    for match in _TAG.finditer(text):
        yield from (TaggedWord(word, None) for word in text[end : match.start()].split())
        yield from (TaggedWord(word, None, tagged=True) for word in match.group(1).split())
        end = match.end()
    yield from (TaggedWord(word, None) for word in text[end:].split())


def _languages(record: Mapping[str, Any], where: str) -> tuple[str, ...]:
    for key in ("languages", "lang", "language"):
        value = record.get(key)
        if value:
            names = value if isinstance(value, list) else re.split(r"[-,+ ]+", str(value))
            return tuple(_code(str(name), f"{where}:{key}") for name in names)
    return ()


def _words(value: Any, where: str) -> tuple[TaggedWord, ...]:
    """Words of a record, if it says of any its language or when it was shown, or marks any."""
    if not isinstance(value, list) or not all(isinstance(word, dict) and "text" in word for word in value):
        return ()
    words = tuple(
        TaggedWord(
            str(word["text"]),
            _code(str(word["language"]), f"{where}:words:language") if word.get("language") else None,
            bool(word.get("poi")),
            _seconds(word.get("emitted"), f"{where}:words:emitted"),
        )
        for word in value
    )
    told = any(word.language or word.tagged or word.emitted_s is not None for word in words)
    return words if told else ()


def _seconds(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise DataError(f"is {value!r}, expected seconds, at least 0", where=where)
    return float(value)


def _code(name: str, where: str) -> str:
    try:
        return resolve(name).code
    except LanguageError as error:
        raise DataError(str(error), where=where) from error


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:_LISTED]) + (" ..." if len(ids) > _LISTED else "")
