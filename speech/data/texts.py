"""Read files of references and hypotheses: id -> text, with languages and words if given.

Supported are JSON lines and lists (manifests, and the output of `speech transcribe --format jsonl` and `json`), the
output of `speech stream --jsonl` in a file `ID.jsonl`, lines of an id and a text, and folders of `ID.txt`, `ID.json` or
`ID.jsonl`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from speech.data.json_records import JsonText, as_seconds, shown
from speech.data.stream_events import StreamedText, begins_stream, streamed_text
from speech.errors import DataError, LanguageError
from speech.files import printable
from speech.text.languages import resolve
from speech.text.lines import read_lines

_TAG = re.compile(r"<tag\s+([^<>]*)>")
_IDS = ("id", "utterance_id")
_PATHS = ("path", "audio")
_JSON = (".json", ".jsonl")
_BEGINS_JSON = re.compile(r"[ \t]*(?:\{|\[\s*(?:[\]{]|$))")
_NO_LANGUAGE = frozenset({"und", "mul", "mis", "zxx"})
_EXACT = 1 << 53
_LONGEST_S = 1e9
_LISTED, _SHOWN = 10, 80


@dataclass(frozen=True, slots=True)
class TaggedWord:
    """A word with the annotations of its file."""

    text: str
    language: str | None
    """ISO 639-3, if given."""
    tagged: bool = False
    """Whether it is marked as a point of interest."""
    emitted_s: float | None = None
    """When the word was emitted, in seconds from the start of the audio, if given."""


@dataclass(frozen=True, slots=True)
class Text:
    """The reference or the hypothesis of an utterance."""

    id: str
    text: str
    languages: tuple[str, ...] = ()
    """ISO 639-3 codes, main language first, including those of words."""
    words: tuple[TaggedWord, ...] = ()
    """Empty unless the file annotates words."""
    audio: Path | None = None
    duration_s: float | None = None
    recording: str | None = None
    """If the utterance is a segment of a long recording: the recording's id."""
    start_s: float = 0.0
    """Where the segment begins in the recording."""


def read_texts(path: Path, *, translation: bool = False, to: str | None = None) -> dict[str, Text]:
    """Read all utterances of a file or folder, in order.

    Words in `<tag ...>` are points of interest.

    Args:
        path: file or folder.
        translation: read the translation of what `speech stream --jsonl` prints instead of the transcript.
        to: read the translations of a manifest into this language (ISO 639-3) instead of its texts; utterances without
            one are left out, but segments of a recording must have one.

    Raises:
        DataError: naming file, line and field, for an invalid utterance, a repeated id, or if there are no utterances.
        FileError: if a file cannot be read, or is not UTF-8.
    """
    if to is not None and path.is_dir():
        raise DataError("is a folder", where=printable(path), fix="Translations are in a manifest: name that.")
    items = _from_folder(path, translation) if path.is_dir() else _from_file(path, translation, to)
    found: dict[str, Text] = {}
    first: dict[str, str] = {}
    for item, where in items:
        if item.id in found:
            earlier = f", first in {first[item.id]}"
            raise DataError(f"{shown(item.id)} is there twice{earlier}", where=where, fix="Give each its own id.")
        found[item.id], first[item.id] = item, where
    if not found:
        what = "utterance" if to is None else f"translation into {to}"
        raise DataError(f"has no {what}", where=printable(path))
    return found


def _from_folder(path: Path, translation: bool) -> Iterator[tuple[Text, str]]:
    files = sorted(path.glob("*.txt"))
    for file in files:
        yield _text(printable(file.stem), "\n".join(read_lines(file)).strip()), printable(file)
    if files:
        return
    files = sorted(file for file in path.iterdir() if file.suffix in _JSON)
    if not files:
        raise DataError("has no .txt and no .json file", where=printable(path))
    for file in files:
        yield from _from_file(file, translation)


def _from_file(path: Path, translation: bool, to: str | None = None) -> Iterator[tuple[Text, str]]:
    """Yield each utterance with its location "file:line"."""
    lines = read_lines(path)
    content = JsonText(lines, printable(path))
    place = 0
    while place < len(lines):
        line = lines[place]
        if _BEGINS_JSON.match("\n".join(lines[place : place + 2])):
            records, place = content.objects(place)
            if place <= 1 and records and begins_stream(records[0][1]):
                yield _from_stream(content, lines, path, translation), f"{printable(path)}:1"
                return
            for number, record in records:
                where = f"{printable(path)}:{number}"
                chosen = record if to is None else _translated(record, to, where)
                if chosen is not None:
                    yield _from_json(chosen, where, path.parent), where
            continue
        place += 1
        if line.strip() and to is None:
            yield _from_line(line), f"{printable(path)}:{place}"


def _from_stream(content: JsonText, lines: Sequence[str], path: Path, translation: bool) -> Text:
    """The text of a live session, whose id is the name of its file."""
    where = printable(path)
    places = [place for place, line in enumerate(lines) if line.strip()]
    messages = [(record, f"{where}:{number}") for place in places for number, record in content.objects(place)[0]]
    return text_of_stream(printable(path.stem), streamed_text(messages, translation=translation))


def text_of_stream(key: str, found: StreamedText) -> Text:
    """The text of a live session as an utterance, with the times of its words."""
    words = tuple(
        TaggedWord(word, None, emitted_s=time_s) for word, time_s in zip(found.words, found.emitted_s, strict=True)
    )
    return Text(key, found.text, (), words, None, found.duration_s)


def marked(text: str) -> tuple[str, tuple[TaggedWord, ...]]:
    """Remove `<tag ...>` marks from a text; also returns its words if it has any mark."""
    found = _text("", text)
    return found.text, found.words


def check_ids(reference: Mapping[str, Text], hypothesis: Mapping[str, Text], where: str) -> None:
    """Check that references and hypotheses have the same ids.

    Raises:
        DataError: naming missing and extra ids, with `where` as the name of the hypotheses.
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


def _from_line(line: str) -> Text:
    """Parse a line of an id, spaces or tabs, and a text."""
    key, *rest = re.split(r"[ \t]+", line.strip(" \t"), maxsplit=1)
    return _text(key, rest[0] if rest else "")


def _from_json(record: Mapping[str, Any], where: str, root: Path) -> Text:
    if "error" in record and "text" not in record:
        fix = "Transcribe it again, or give it an empty text."
        raise DataError(f"was not transcribed: {printable(str(record['error']))}", where=where, fix=fix)
    text = record.get("text")
    if not isinstance(text, str):
        fault = "is missing" if text is None else f"is {shown(text)}, expected a text"
        raise DataError(fault, where=f"{where}:text")
    audio = next((record[key] for key in _PATHS if isinstance(record.get(key), str)), None)
    key = _id(record, where) or (Path(audio).stem if audio else None)
    if not key:
        raise DataError("is missing, and so are path and audio", where=f"{where}:id")
    words = _words(record.get("words"), where)
    spoken = [word.language for word in words if word.language]
    found = _text(
        key,
        text,
        tuple(dict.fromkeys([*_languages(record, where), *spoken])),
        words,
        root / audio if audio else None,
        _seconds(record.get("duration"), f"{where}:duration"),
    )
    return _segment(found, record, where)


def _segment(text: Text, record: Mapping[str, Any], where: str) -> Text:
    """The text as a segment of the record's `recording`, if it names one."""
    recording = record.get("recording")
    if recording is None:
        return text
    if not isinstance(recording, str) or not recording:
        raise DataError(f"is {shown(recording)}, expected the id of a recording", where=f"{where}:recording")
    start_s = _seconds(record.get("start"), f"{where}:start")
    for name, value in (("start", start_s), ("duration", text.duration_s)):
        if value is None:
            raise DataError("is missing: a segment of a recording has start and duration", where=f"{where}:{name}")
    return replace(text, recording=recording, start_s=start_s or 0.0)


def _translated(record: Mapping[str, Any], to: str, where: str) -> Mapping[str, Any] | None:
    """The record with its translation as the text; None if it has none."""
    translations = record.get("translations", {})
    if not isinstance(translations, dict):
        raise DataError(f"is {shown(translations)}, expected an object", where=f"{where}:translations")
    text = translations.get(to)
    if text is None and record.get("recording") is not None:
        fault = f"has none into {to}: every segment of a recording needs one"
        raise DataError(fault, where=f"{where}:translations", fix="Give silence an empty text.")
    if not text and record.get("recording") is None:
        return None
    kept = {key: value for key, value in record.items() if key not in ("words", "languages", "language")}
    return kept | {"text": text, "lang": to}


def _id(record: Mapping[str, Any], where: str) -> str | None:
    """Return a record's id, or None. Numbers become digits: 7, 7.0 and "7" are the same id, "007" is another."""
    name = next((key for key in _IDS if key in record), None)
    if name is None:
        return None
    value = record[name]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(f"is {shown(value)}, expected a text or a whole number", where=f"{where}:{name}")
    if not str(value).strip():
        raise DataError("is empty", where=f"{where}:{name}")
    return str(value)


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
    """Yield the words of a text with `<tag ...>` marks."""
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
            return tuple(code for name in names if (code := _code(str(name), f"{where}:{key}")))
    return ()


def _words(value: Any, where: str) -> tuple[TaggedWord, ...]:
    """Words of a record; empty unless at least one has a language, an emission time or a mark."""
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
    seconds = as_seconds(value)
    if not isinstance(seconds, float) or not 0 <= seconds <= _LONGEST_S:
        raise DataError(f"is {shown(value)}, expected seconds, from 0 to {_LONGEST_S:g}", where=where)
    return seconds


def _code(name: str, where: str) -> str | None:
    """Resolve a language name or code; None for codes such as "und". Raises DataError if the language is unknown."""
    if name.strip().lower() in _NO_LANGUAGE:
        return None
    try:
        return resolve(name).code
    except LanguageError as error:
        raise DataError(str(error), where=where) from error


def _some(ids: list[str]) -> str:
    named = [printable(key if len(key) <= _SHOWN else f"{key[:_SHOWN]}...") for key in ids[:_LISTED]]
    return ", ".join(named) + (" ..." if len(ids) > _LISTED else "")
