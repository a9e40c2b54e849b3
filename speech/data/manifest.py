"""Manifests: one JSON object per line for each `Utterance`. Errors name file, line and field."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from speech.data.json_records import as_seconds, json_object, shown
from speech.errors import DataError, LanguageError
from speech.files import replacing
from speech.text.languages import resolve
from speech.text.lines import byte_lines
from speech.transcript import Word


class ShardRecord(NamedTuple):
    """Location of a recording in a tar file."""

    shard: Path
    """The tar file."""
    number: int
    """Number of the record in it, from 0."""
    offset: int
    """Offset of its first byte."""
    size: int
    """Size in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One recording and its transcript."""

    id: str
    """Unique in its manifest."""
    audio: Path
    """Absolute path of the audio file."""
    duration_s: float
    language: str
    """ISO 639-3."""
    text: str
    """The transcript as written."""
    translations: dict[str, str] = field(default_factory=dict, hash=False)
    """ISO 639-3 code -> human translation into that language."""
    parallel_id: str | None = None
    """Utterances with equal `parallel_id` have the same content in different languages."""
    speaker: str = ""
    source: str = ""
    licence: str = ""
    words: tuple[Word, ...] = ()
    """Words of a code-switched utterance with timestamps and languages; empty for a single language."""
    record: ShardRecord | None = field(default=None, repr=False, compare=False)
    """Record to read the audio from instead of `audio`; set by `speech.data.shards`, not stored in manifests."""

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-3 codes of all spoken languages, `language` first."""
        return tuple(dict.fromkeys([self.language, *[word.language or self.language for word in self.words]]))


# Field of `Utterance` -> (key of the JSON object, type, required)
_FIELDS: dict[str, tuple[str, type, bool]] = {
    "id": ("id", str, True),
    "audio": ("audio", str, True),
    "duration_s": ("duration", float, True),
    "language": ("lang", str, True),
    "text": ("text", str, True),
    "translations": ("translations", dict, False),
    "parallel_id": ("parallel_id", str, False),
    "speaker": ("speaker", str, False),
    "source": ("source", str, False),
    "licence": ("licence", str, False),
    "words": ("words", list, False),
}


def read_manifest(path: Path, root: Path | None = None, *, check_files: bool = False) -> list[Utterance]:
    """Read the utterances of a JSON-lines manifest, in order.

    Keys: `id, audio, duration` (seconds)`, lang, text`, and optionally `translations, parallel_id, speaker, source,
    licence, words` (`text, start, end` in seconds, `language`). Other keys and empty lines are ignored.

    Args:
        path: the manifest.
        root: base folder of relative `audio` paths; the manifest's own folder by default.
        check_files: also check that every audio file exists.

    Raises:
        DataError: at the first invalid line, with `where` = "file:line:field", or if there is no such file.
        FileError: if the file cannot be read.
    """
    path = Path(path)
    root = (path.parent if root is None else Path(root)).absolute()
    if not path.exists():
        raise DataError("no such manifest", where=str(path))
    utterances: list[Utterance] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(byte_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        utterance = _utterance(json_object(line, f"{where}:json"), where, root)
        earlier = first_line.setdefault(utterance.id, number)
        if earlier != number:
            raise DataError(f"{utterance.id!r} is already the id of line {earlier}", where=f"{where}:id")
        if check_files and not utterance.audio.is_file():
            raise DataError(f"no such file: {utterance.audio}", where=f"{where}:audio")
        utterances.append(utterance)
    return utterances


def write_manifest(utterances: Iterable[Utterance], path: Path, root: Path | None = None) -> None:
    """Write a manifest for `read_manifest`, atomically.

    Args:
        utterances: utterances to write.
        path: the manifest, replaced if it exists.
        root: audio paths below this folder are written relative to it, others absolute; the manifest's own folder by
            default.

    Raises:
        FileError: if the file cannot be written.
    """
    path = Path(path)
    root = (path.parent if root is None else Path(root)).absolute()
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as lines:
        for utterance in utterances:
            lines.write(json.dumps(_record(utterance, root), ensure_ascii=False) + "\n")


def _record(utterance: Utterance, root: Path) -> dict[str, Any]:
    record = {key: getattr(utterance, name) for name, (key, _, _) in _FIELDS.items()}
    audio = utterance.audio
    record["audio"] = str(audio.relative_to(root) if audio.is_relative_to(root) else audio)
    if utterance.parallel_id is None:
        del record["parallel_id"]
    record["words"] = [
        {"text": w.text, "start": round(w.start_s, 3), "end": round(w.end_s, 3), "language": w.language}
        for w in utterance.words
    ]
    if not utterance.words:
        del record["words"]
    return record


def _utterance(record: dict[str, Any], where: str, root: Path) -> Utterance:
    values: dict[str, Any] = {}
    for name, (key, kind, required) in _FIELDS.items():
        value = record.get(key)
        if value is None:
            if required:
                raise DataError("is missing", where=f"{where}:{key}")
            continue
        if kind is float:
            value = as_seconds(value)
        if not isinstance(value, kind):
            raise DataError(
                f"is {type(value).__name__} {shown(value)}, expected {kind.__name__}", where=f"{where}:{key}"
            )
        values[name] = value
    for key in ("id", "audio"):
        if not values[key]:
            raise DataError("is empty", where=f"{where}:{key}")
    if not 0.0 < values["duration_s"] < float("inf"):
        raise DataError(f"is {values['duration_s']} seconds, expected more than 0", where=f"{where}:duration")
    _check_language(values["language"], f"{where}:lang")
    for code, text in values.get("translations", {}).items():
        _check_language(code, f"{where}:translations.{code}")
        if not isinstance(text, str):
            raise DataError(f"is {type(text).__name__}, expected str", where=f"{where}:translations.{code}")
    values["audio"] = root / values["audio"]
    if "words" in values:
        values["words"] = tuple(_word(word, f"{where}:words.{n}") for n, word in enumerate(values["words"]))
    return Utterance(**values)


def _word(record: Any, where: str) -> Word:
    if not isinstance(record, dict):
        raise DataError(f"is a {type(record).__name__}, expected an object", where=where)
    text, language, times = record.get("text"), record.get("language"), [record.get("start"), record.get("end")]
    if not isinstance(text, str) or not isinstance(language, str):
        raise DataError("needs text and language", where=where)
    _check_language(language, f"{where}.language")
    start_s, end_s = (s if isinstance(s := as_seconds(t), float) else -1.0 for t in times)
    if not 0.0 <= start_s <= end_s < float("inf"):
        raise DataError(f"is from {shown(times[0])} to {shown(times[1])}, expected seconds in order", where=where)
    return Word(text, start_s, end_s, 1.0, language)


def _check_language(code: str, where: str) -> None:
    known, fix = _resolved(code)
    if known != code:
        raise DataError(f"{code!r} is not an ISO 639-3 language that is known here", where=where, fix=fix)


@cache
def _resolved(code: str) -> tuple[str | None, str | None]:
    """Return the code that `code` resolves to, if any, and a hint for the case that they differ."""
    try:
        known = resolve(code).code
    except LanguageError as error:
        return None, error.fix
    return known, f"Write {known!r}."
