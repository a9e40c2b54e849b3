"""The ledger: an SQLite table with the status of each file, which survives a crash of any process.

A file is done when its result is on disk and the table says so, in this order; a result is written to a temporary file
and renamed. If a process dies in between, the file is read again and its result replaced: nothing is lost or done
twice.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from speech.errors import DataError, FileError
from speech.files import printable, reason
from speech.models.storage import LABEL

_BLOCK = 1 << 20
_TABLE = """CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, content TEXT NOT NULL, size INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    settings TEXT NOT NULL, status TEXT NOT NULL, crashes INTEGER NOT NULL DEFAULT 0, error TEXT, result TEXT,
    audio_s REAL, updated REAL NOT NULL)"""

_REASONS = {
    sqlite3.SQLITE_FULL: "no space left on device",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_BUSY: "another run is writing it",
    sqlite3.SQLITE_IOERR: "the disk refuses",
}
"""SQLite primary result code -> message for the user."""


class Status(StrEnum):
    """Status of a file; names equal values."""

    waiting = "waiting"
    done = "done"
    failed = "failed"
    """The file cannot be read; see the error."""
    quarantined = "quarantined"
    """The file killed its worker too often."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row: a file and its status."""

    path: str
    status: Status
    crashes: int
    """Number of workers that died on the file."""
    error: str | None
    result: str | None
    """Path of the result."""
    audio_s: float | None


_Before = tuple[str, int, int, str, str, str | bytes | None]
"""Content hash, size, modification time, settings, status, result path."""


class Ledger:
    """The ledger of one run, or of one shard.

    Args:
        path: SQLite file, created if missing. Each driver that writes needs its own.

    Raises:
        DataError: if the file is not a ledger.
        FileError: if it cannot be read or written; all methods raise it too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot be written: {reason(error)}", where=printable(path.parent)) from error
        with self._refusals():
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                self._connection.execute("PRAGMA synchronous = FULL")  # no WAL: network file systems lack it
                self._connection.execute(_TABLE)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Convert SQLite errors to DataError (not a ledger) or FileError."""
        try:
            yield
        except sqlite3.Error as error:
            where = printable(self.path)
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
                fix = "Move it away, or choose another."
                raise DataError(f"is no ledger: {error}", where=where, fix=fix) from error
            raise FileError(f"cannot be written: {_REASONS.get(code, str(error))}", where=where) from error

    def _execute(self, command: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a command and return all rows."""
        with self._refusals():
            return self._connection.execute(command, values).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def plan(self, files: Sequence[str], settings: str, *, retry: bool = False) -> list[str]:
        """Return the `files` that still have to be read, and add or reset a row for each.

        Skipped are files that are done and, without `retry`, files that failed or are quarantined. A file is skipped
        only if its content and the settings are unchanged and, when done, its result still exists.

        Args:
            files: paths.
            settings: identifies model and options (`identify`).
            retry: also read files that failed or were quarantined before.
        """
        self._execute("BEGIN IMMEDIATE")  # one transaction: for 100,000 files, single ones would take minutes
        try:
            todo = [path for path in files if self._wanted(path, settings, retry)]
            self._execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # on a full disk SQLite has already rolled back
                self._execute("ROLLBACK")
            raise
        return todo

    def _wanted(self, path: str, settings: str, retry: bool) -> bool:
        found = self._execute(
            "SELECT content, size, changed_ns, settings, status, result FROM files WHERE path = ?", (_stored(path),)
        )
        before = found[0] if found else None
        content, size, changed = self._content(path, before)
        if before is not None and (content, settings) == (before[0], before[3]):
            status, result = Status(before[4]), before[5]
            if status == Status.done and result is not None and os.path.exists(_named(result)):  # noqa: PTH110 (pathlib raises for long names)
                return False
            if status in (Status.failed, Status.quarantined) and not retry:
                return False
        keep_crashes = before is not None and content == before[0] and not retry
        self._execute(
            "INSERT INTO files (path, content, size, changed_ns, settings, status, updated) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET content = excluded.content, "
            "size = excluded.size, changed_ns = excluded.changed_ns, settings = excluded.settings, "
            "status = excluded.status, crashes = crashes * ?, error = NULL, updated = excluded.updated",
            (_stored(path), content, size, changed, settings, Status.waiting, time.time(), int(keep_crashes)),
        )
        return True

    def _content(self, path: str, before: _Before | None) -> tuple[str, int, int]:
        """Content hash, size and modification time; the file is hashed only if its size or time changed."""
        try:
            stat = Path(path).stat()
            if before is not None and (stat.st_size, stat.st_mtime_ns) == before[1:3]:
                return before[:3]
            return hash_file(Path(path)), stat.st_size, stat.st_mtime_ns
        except (OSError, ValueError):  # ValueError: a name that no file can have
            return "", -1, -1  # reading the file will report the error

    def done(self, path: str, result: Path, audio_s: float) -> None:
        """Mark a file as done, with its result at that path."""
        self._set(path, Status.done, None, str(result), audio_s)

    def failed(self, path: str, error: str) -> None:
        """Mark a file as failed."""
        self._set(path, Status.failed, error, None, None)

    def crashed(self, path: str, most: int) -> bool:
        """Count a worker's death on this file; True if the file is now quarantined (after `most` deaths)."""
        self._execute("UPDATE files SET crashes = crashes + 1 WHERE path = ?", (_stored(path),))
        ((crashes,),) = self._execute("SELECT crashes FROM files WHERE path = ?", (_stored(path),))
        if crashes < most:
            return False
        self._set(path, Status.quarantined, f"killed its worker {crashes} times", None, None)
        return True

    def _set(self, path: str, status: Status, error: str | None, result: str | None, audio_s: float | None) -> None:
        said = None if error is None else error.encode("utf-8", "backslashreplace").decode()
        place = None if result is None else _stored(result)
        self._execute(
            "UPDATE files SET status = ?, error = ?, result = ?, audio_s = ?, updated = ? WHERE path = ?",
            (status, said, place, audio_s, time.time(), _stored(path)),
        )

    def entries(self) -> Iterator[LedgerEntry]:
        """All rows, sorted by path."""
        for path, status, crashes, error, result, audio_s in self._execute(
            "SELECT path, status, crashes, error, result, audio_s FROM files ORDER BY path"
        ):
            place = None if result is None else _named(result)
            yield LedgerEntry(_named(path), Status(status), crashes, error, place, audio_s)


def _stored(path: str) -> str | bytes:
    """A path as SQLite can store it: text, or the raw bytes if they are not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")
    return path


def _named(stored: str | bytes) -> str:
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def identify(model: Path, options: str) -> str:
    """Hash of a model's files and the options it is used with."""
    found = hashlib.sha256(options.encode())
    files = [*model.iterdir(), *(model / LABEL).glob("*")]
    for file in sorted(path for path in files if path.suffix in {".safetensors", ".json", ".model"}):
        found.update(f"{file.relative_to(model)} {hash_file(file)}".encode())
    return found.hexdigest()
