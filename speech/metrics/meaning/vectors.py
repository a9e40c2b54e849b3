"""Sentence vectors, each computed once in batches and optionally cached in a file, so that interrupted runs resume."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from itertools import batched
from pathlib import Path

import numpy as np

from speech.errors import DataError
from speech.metrics.meaning.semantic import SemanticEncoder

BATCH = 256
_QUERY = 500


class Vectors:
    """Sentence vectors of an encoder, with an optional cache on disk.

    Args:
        encoder: the sentence encoder.
        file: SQLite file for the cache; several encoders and several processes may share it. None: no cache.

    Raises:
        DataError: if the file is not such a cache.
    """

    def __init__(self, encoder: SemanticEncoder, file: Path | None = None) -> None:
        self.encoder, self._file = encoder, file
        with _opened(file):
            pass

    def of(
        self, sentences: Iterable[str], progress: Callable[[int, int], None] | None = None
    ) -> Mapping[str, np.ndarray]:
        """Vector of each distinct sentence, `(dim,)` float32 of length 1.

        Args:
            progress: called with (done, total) after each batch; cached sentences are not counted.
        """
        wanted = sorted(set(sentences), key=lambda text: (len(text), text))  # for uniform batches
        with _opened(self._file) as base:
            kept = _StoredVectors(base, self.encoder.name)
            found = kept.of(wanted)
            missing = [text for text in wanted if text not in found]
            done = 0
            for group in batched(missing, BATCH):
                rows = np.ascontiguousarray(self.encoder.encode(group), np.float32)
                kept.add(group, rows)
                found.update(zip(group, rows, strict=True))
                done += len(group)
                if progress is not None:
                    progress(done, len(missing))
        return found


class _StoredVectors:
    """Cached vectors of one encoder; without a connection, an empty cache."""

    def __init__(self, base: sqlite3.Connection | None, encoder: str) -> None:
        self._base, self._encoder = base, encoder

    def of(self, sentences: Sequence[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        if self._base is None:
            return found
        for group in batched(sentences, _QUERY):
            keys = {self._key(text): text for text in group}
            marks = ",".join("?" * len(keys))
            rows = self._base.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", list(keys))
            found.update((keys[key], np.frombuffer(vector, np.float32)) for key, vector in rows)
        return found

    def add(self, sentences: Sequence[str], vectors: np.ndarray) -> None:
        if self._base is None:
            return
        with self._base:
            rows = [(self._key(text), row.tobytes()) for text, row in zip(sentences, vectors, strict=True)]
            self._base.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def _key(self, text: str) -> bytes:
        return sha256(f"{self._encoder}\0{text}".encode()).digest()


@contextmanager
def _opened(file: Path | None) -> Iterator[sqlite3.Connection | None]:
    if file is None:
        yield None
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_file(file, error) from error
    try:
        with closing(sqlite3.connect(file, timeout=60.0)) as base:
            base.execute("PRAGMA synchronous = OFF")  # safe if this program crashes, though not in a power cut
            base.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)")
            yield base
    except sqlite3.DatabaseError as error:
        raise _no_file(file, error) from error


def _no_file(file: Path, error: Exception) -> DataError:
    return DataError(f"no file of vectors: {error}", where=str(file), fix="Delete it, or name another.")
