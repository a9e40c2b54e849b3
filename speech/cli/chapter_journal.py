"""The folder of a spoken book: which of its chapters are whole, and what they were made of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from speech.cli.console import to_json
from speech.errors import FileError
from speech.files import printable, read_text, reason, write_atomically

JOURNAL = "chapters.json"
TIMES = ".json"
"""Suffix of the word times beside the audio of a chapter."""
_FORMAT = 1
_REFUSED = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\s]+')
"""What some system does not allow in a file's name."""
_LONGEST_TITLE = 60


class ChapterState(StrEnum):
    """What the folder has of a chapter."""

    missing = "missing"
    whole = "whole"
    other_text = "other text"
    """It was made of another text."""
    other_options = "other options"
    """It was said in another way, or by another model or voice."""


@dataclass(frozen=True, slots=True)
class ChapterEntry:
    """A chapter that is whole."""

    title: str
    audio: str
    """Name of its file."""
    bytes: int
    """Size of that file."""
    seconds: float
    text: str
    """SHA-256 of what is said."""
    options: Mapping[str, Any]
    """How it is said."""


def file_stem(number: int, count: int, title: str) -> str:
    """Name of a chapter's files without suffix: `03 The Sea`.

    Args:
        number: of the chapter, from 1.
        count: of all chapters.
        title: of the chapter.
    """
    plain = _REFUSED.sub(" ", title).strip(" .")[:_LONGEST_TITLE].strip(" .")
    return f"{number:0{max(2, len(str(count)))}} {plain}".rstrip()


def digest(text: str) -> str:
    """What tells texts apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class ChapterJournal:
    """What is whole in a folder, by the stem of the files' names. Each change is written at once.

    Args:
        folder: of the book.
        entries: chapters that are whole.
    """

    def __init__(self, folder: Path, entries: Mapping[str, ChapterEntry]) -> None:
        self._folder, self._entries = folder, dict(entries)

    @classmethod
    def read(cls, folder: Path) -> ChapterJournal:
        """The journal of a folder; without one, or with one that cannot be understood, no chapter is whole.

        Raises:
            FileError: if the system refuses to read it.
        """
        path = folder / JOURNAL
        if not path.exists():
            return cls(folder, {})
        try:
            content = json.loads(read_text(path))
            rows = content["chapters"] if content["format"] == _FORMAT else {}
            entries = {stem: ChapterEntry(**row) for stem, row in rows.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls(folder, {})
        return cls(folder, {stem: entry for stem, entry in entries.items() if _sound(stem, entry)})

    def state(self, stem: str, text: str, options: Mapping[str, Any]) -> ChapterState:
        """What there is of a chapter.

        Args:
            stem: of its files.
            text: its digest.
            options: how it is to be said.
        """
        entry = self._entries.get(stem)
        if entry is None or not self._there(stem, entry):
            return ChapterState.missing
        if entry.text != text:
            return ChapterState.other_text
        return ChapterState.whole if entry.options == options else ChapterState.other_options

    def seconds(self, stem: str) -> float:
        """Duration of a chapter that is whole."""
        return self._entries[stem].seconds

    def forget(self, stem: str, audio: str) -> None:
        """Note that a chapter is about to be written; its earlier audio goes if that has another name than `audio`.

        Raises:
            FileError: if the system refuses.
        """
        older = self._entries.pop(stem, None)
        if older is None:
            return
        self._write()
        if older.audio != audio:
            self._remove(self._folder / older.audio)

    def record(self, stem: str, entry: ChapterEntry) -> None:
        """Note that a chapter's files are there.

        Raises:
            FileError: if the system refuses.
        """
        self._entries[stem] = entry
        self._write()

    def rename(self, wanted: Sequence[tuple[str, str]], options: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Give chapters that have moved, and whose text and options are those that are wanted, their new names.

        Args:
            wanted: stems of the new names, and digests of the texts.
            options: how they are to be said.

        Returns:
            Old and new stems of what was renamed.

        Raises:
            FileError: if the system refuses.
        """
        whole = {stem for stem, text in wanted if self.state(stem, text, options) == ChapterState.whole}
        free = {entry.text: stem for stem, entry in self._entries.items()
                if stem not in whole and self.state(stem, entry.text, options) == ChapterState.whole}  # fmt: skip
        moves = [(free.pop(text), stem) for stem, text in wanted if stem not in whole and text in free]
        moved = [(old, new, self._entries.pop(old)) for old, new in moves]
        try:
            for number, (old, _, entry) in enumerate(moved):  # by way of other names, as some change places
                for name, suffix in ((entry.audio, ".audio"), (old + TIMES, TIMES)):
                    (self._folder / name).rename(self._folder / f".{number}{suffix}.partial")
            for number, (_, new, entry) in enumerate(moved):
                audio = new + Path(entry.audio).suffix
                for name, suffix in ((audio, ".audio"), (new + TIMES, TIMES)):
                    (self._folder / f".{number}{suffix}.partial").replace(self._folder / name)
                self._entries[new] = ChapterEntry(**{**asdict(entry), "audio": audio})
        except OSError as error:
            raise FileError(f"cannot be renamed: {reason(error)}", where=printable(self._folder)) from error
        if moved:
            self._write()
        return [(old, new) for old, new, _ in moved]

    def keep_only(self, stems: Sequence[str]) -> list[str]:
        """Remove the files of chapters that the text no longer has; return their stems.

        Raises:
            FileError: if the system refuses.
        """
        gone = [stem for stem in self._entries if stem not in stems]
        for stem in gone:
            entry = self._entries.pop(stem)
            for name in (entry.audio, stem + TIMES):
                self._remove(self._folder / name)
        if gone:
            self._write()
        return gone

    def write_playlist(self, name: str, stems: Sequence[str]) -> Path:
        """Write the chapters that are whole, in order, as `NAME.m3u8`; return its path.

        Raises:
            FileError: if the system refuses.
        """
        lines = ["#EXTM3U"]
        for entry in (self._entries[stem] for stem in stems if stem in self._entries):
            lines += [f"#EXTINF:{round(entry.seconds)},{' '.join(entry.title.split())}", entry.audio]
        path = self._folder / f"{name}.m3u8"
        write_atomically(path, "\n".join(lines) + "\n")
        return path

    def _there(self, stem: str, entry: ChapterEntry) -> bool:
        audio, times = self._folder / entry.audio, self._folder / (stem + TIMES)
        return audio.is_file() and times.is_file() and audio.stat().st_size == entry.bytes

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"cannot be removed: {reason(error)}", where=printable(path)) from error

    def _write(self) -> None:
        rows = {stem: asdict(entry) for stem, entry in sorted(self._entries.items())}
        write_atomically(self._folder / JOURNAL, to_json({"format": _FORMAT, "chapters": rows}, indent=1) + "\n")


def _sound(stem: str, entry: ChapterEntry) -> bool:
    """Whether a row of a journal has what it should; names that lead out of the folder have not."""
    texts = isinstance(entry.title, str) and isinstance(entry.text, str) and isinstance(entry.audio, str)
    numbers = isinstance(entry.bytes, int) and isinstance(entry.seconds, int | float)
    plain = texts and Path(entry.audio).stem == stem and Path(entry.audio).name == entry.audio
    return plain and numbers and isinstance(entry.options, dict)
