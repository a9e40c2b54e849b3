"""Read spoken texts: what was to be said, in which language, and the recording of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from speech.data.json_records import json_object
from speech.data.texts import Text, check_ids, read_texts
from speech.errors import DataError
from speech.files import printable, read_text
from speech.text.languages import resolve

_NO_AUDIO = frozenset({".txt", ".json", ".jsonl", ".srt", ".vtt", ".ssml", ".xml", ".md"})


def read_spoken_texts(path: Path, language: str | None = None) -> dict[str, Text]:
    """Read the spoken texts of a manifest, of a folder with a manifest, or of `ID.txt` and a recording of each.

    Args:
        path: file or folder, as `read_texts`.
        language: ISO 639-3, of the texts for which no other is given.

    Returns:
        By id: texts with `audio` and `languages`.

    Raises:
        DataError: if a recording or a language is missing; see also `read_texts`.
        FileError: if a file cannot be read.
    """
    texts = read_texts(path)
    return {key: _spoken(text, path, language) for key, text in texts.items()}


def check_same_texts(first: Mapping[str, Text], other: Mapping[str, Text], where: str) -> None:
    """Check that two systems said the same texts.

    Args:
        where: name of the other system, for errors.

    Raises:
        DataError: naming the ids that only one has, or a text that differs.
    """
    check_ids(first, other, where)
    for key, text in first.items():
        for what, named in (("text", "text is"), ("languages", "languages are")):
            if getattr(other[key], what) != getattr(text, what):
                fault = f"{key}: its {named} not as in the first system"
                raise DataError(fault, where=where, fix="Compare systems that say the same texts.")


def _spoken(text: Text, path: Path, language: str | None) -> Text:
    where = printable(path)
    audio = text.audio or (_beside(path, text.id) if path.is_dir() else None)
    if audio is None:
        fix = "Give it `audio` in the manifest." if path.is_file() else f"Put the recording beside {text.id}.txt."
        raise DataError(f"{text.id}: has no recording", where=where, fix=fix)
    if not audio.is_file():
        raise DataError(f"{text.id}: there is no file {printable(audio)}", where=where)
    languages = text.languages or tuple(filter(None, [_told_by_words(path, text.id) or language]))
    if not languages:
        fix = "Give it `lang` in the manifest, or name the language: --language eng."
        raise DataError(f"{text.id}: has no language", where=where, fix=fix)
    return replace(text, audio=audio, languages=languages)


def _beside(folder: Path, key: str) -> Path | None:
    """The recording of `key` in a folder.

    Raises:
        DataError: if there are several.
    """
    found = sorted(one for one in folder.iterdir() if one.stem == key and one.suffix.lower() not in _NO_AUDIO)
    if len(found) > 1:
        names = ", ".join(printable(one.name) for one in found)
        raise DataError(f"{key}: has several recordings: {names}", where=printable(folder), fix="Keep one.")
    return found[0] if found else None


def _told_by_words(path: Path, key: str) -> str | None:
    """The language in the word times that `speech say --words` wrote beside the recording.

    Raises:
        DataError: if the file is broken.
    """
    file = path / f"{key}.json"
    if not path.is_dir() or not file.is_file():
        return None
    where = printable(file)
    name = json_object(read_text(file).encode(), where).get("language")
    return resolve(name).code if isinstance(name, str) else None
