"""What has become of each file: a table on disk that outlives every process that writes it.

A file is done when its result lies at its place and the table says so, in this order; a result is written by renaming.
Whatever dies in between, the file is read again and its result replaced: nothing is lost, nothing is there twice.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from speech.errors import DataError

_BLOCK = 1 << 20
_TABLE = """CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, content TEXT NOT NULL, size INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    settings TEXT NOT NULL, status TEXT NOT NULL, crashes INTEGER NOT NULL DEFAULT 0, error TEXT, result TEXT,
    audio_s REAL, updated REAL NOT NULL)"""


class Status(StrEnum):
    """Of a file; names equal values."""

    waiting = "waiting"
    done = "done"
    failed = "failed"
    """It cannot be read; the error says why."""
    quarantined = "quarantined"
    """It killed its worker too often."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    path: str
    status: Status
    crashes: int
    """Workers that have died over it."""
    error: str | None
    result: str | None
    """Where its result lies."""
    audio_s: float | None


class Ledger:
    """The table of one run, or of one shard of it.

    Args:
        path: SQLite file; it is made where there is none. Each driver that writes has its own.

    Raises:
        DataError: if there is something else at that place.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            self._connection.execute("PRAGMA synchronous = FULL")  # and no WAL, which network file systems lack
            self._connection.execute(_TABLE)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise DataError(
                f"is no ledger: {error}", where=str(path), fix="Move it away, or choose another."
            ) from error

    def close(self) -> None:
        """Write what is pending."""
        self._connection.close()

    def plan(self, files: Sequence[str], settings: str, *, retry: bool = False) -> list[str]:
        """Those of `files` that are to be read, and a row for each.

        Not to be read is what is done, and what has failed or is quarantined unless `retry`; all of that only while
        the file's content and the settings are what they were, and a result still lies where it was written.

        Args:
            files: paths.
            settings: identifies model and options (`identify`).
            retry: also what has failed before.
        """
        self._connection.execute("BEGIN IMMEDIATE")  # one transaction: a hundred thousand would take minutes
        try:
            todo = [path for path in files if self._wanted(path, settings, retry)]
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return todo

    def _wanted(self, path: str, settings: str, retry: bool) -> bool:
        before = self._connection.execute(
            "SELECT content, size, changed_ns, settings, status, result FROM files WHERE path = ?", (path,)
        ).fetchone()
        content, size, changed = self._content(path, before)
        if before is not None and (content, settings) == (before[0], before[3]):
            status, result = Status(before[4]), before[5]
            if status == Status.done and result is not None and Path(result).exists():
                return False
            if status in (Status.failed, Status.quarantined) and not retry:
                return False
        keep_crashes = before is not None and content == before[0] and not retry
        self._connection.execute(
            "INSERT INTO files (path, content, size, changed_ns, settings, status, updated) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET content = excluded.content, "
            "size = excluded.size, changed_ns = excluded.changed_ns, settings = excluded.settings, "
            "status = excluded.status, crashes = crashes * ?, error = NULL, updated = excluded.updated",
            (path, content, size, changed, settings, Status.waiting, time.time(), int(keep_crashes)),
        )
        return True

    def _content(self, path: str, before: tuple[str, int, int, str, str, str | None] | None) -> tuple[str, int, int]:
        """Hash, size and time of a file; it is only read where size or time are not what they were."""
        try:
            stat = Path(path).stat()
            if before is not None and (stat.st_size, stat.st_mtime_ns) == before[1:3]:
                return before[:3]
            return hash_file(Path(path)), stat.st_size, stat.st_mtime_ns
        except OSError:
            return "", -1, -1  # reading it will say what is wrong

    def done(self, path: str, result: Path, audio_s: float) -> None:
        """Its result lies there."""
        self._set(path, Status.done, None, str(result), audio_s)

    def failed(self, path: str, error: str) -> None:
        """It cannot be read."""
        self._set(path, Status.failed, error, None, None)

    def crashed(self, path: str, most: int) -> bool:
        """A worker died over it; whether it is quarantined now, after `most` of them."""
        self._connection.execute("UPDATE files SET crashes = crashes + 1 WHERE path = ?", (path,))
        crashes = self._connection.execute("SELECT crashes FROM files WHERE path = ?", (path,)).fetchone()[0]
        if crashes < most:
            return False
        self._set(path, Status.quarantined, f"killed its worker {crashes} times", None, None)
        return True

    def _set(self, path: str, status: Status, error: str | None, result: str | None, audio_s: float | None) -> None:
        self._connection.execute(
            "UPDATE files SET status = ?, error = ?, result = ?, audio_s = ?, updated = ? WHERE path = ?",
            (status, error, result, audio_s, time.time(), path),
        )

    def entries(self) -> Iterator[Entry]:
        """All files, by path."""
        rows = self._connection.execute("SELECT path, status, crashes, error, result, audio_s FROM files ORDER BY path")
        for path, status, *rest in rows:
            yield Entry(path, Status(status), *rest)


def hash_file(path: Path) -> str:
    """SHA-256 of its content."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def identify(model: Path, options: str) -> str:
    """One string for a model's files and the options it is used with."""
    found = hashlib.sha256(options.encode())
    for file in sorted(p for p in model.iterdir() if p.suffix in {".safetensors", ".json", ".model"}):
        found.update(f"{file.name} {hash_file(file)}".encode())
    return found.hexdigest()
