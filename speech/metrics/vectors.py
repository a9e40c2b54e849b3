"""Vectors of sentences, each computed once: in batches, kept in a file, gone on with after an interruption."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import batched
from pathlib import Path

import numpy as np

from speech.errors import DataError
from speech.metrics.semantic import SemanticEncoder

BATCH = 256
_QUERY = 500


class Vectors:
    """Sentences -> vectors of an encoder.

    Args:
        encoder: whose vectors these are.
        file: SQLite, where they are kept; it may hold those of several encoders, and several programs may use it.
            None: nowhere.

    Raises:
        DataError: if the file is something else.
    """

    def __init__(self, encoder: SemanticEncoder, file: Path | None = None) -> None:
        self.encoder, self._file = encoder, file
        if file is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with closing(self._connect(file)) as base, base:
                    base.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
            except (OSError, sqlite3.DatabaseError) as error:
                raise DataError(
                    f"no file of vectors: {error}", where=str(file), fix="Delete it, or name another."
                ) from error

    def of(
        self, sentences: Iterable[str], progress: Callable[[int, int], None] | None = None
    ) -> Mapping[str, np.ndarray]:
        """Each distinct sentence's vector, `(dim,)` float32 of length 1.

        Args:
            progress: told how many are done, and of how many, after each batch; those that were kept are not counted.
        """
        wanted = sorted(set(sentences), key=lambda text: (len(text), text))  # of one length in a batch
        found = self._kept(wanted)
        missing = [text for text in wanted if text not in found]
        done = 0
        for group in batched(missing, BATCH):
            rows = np.ascontiguousarray(self.encoder.encode(group), np.float32)
            fresh = dict(zip(group, rows, strict=True))
            self._keep(fresh)
            found |= fresh
            done += len(group)
            if progress is not None:
                progress(done, len(missing))
        return found

    def _kept(self, sentences: Sequence[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        if self._file is None:
            return found
        with closing(self._connect(self._file)) as base:
            for group in batched(sentences, _QUERY):
                keys = {self._key(text): text for text in group}
                marks = ",".join("?" * len(keys))
                rows = base.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", list(keys))
                found.update((keys[key], np.frombuffer(vector, np.float32)) for key, vector in rows)
        return found

    def _keep(self, vectors: Mapping[str, np.ndarray]) -> None:
        if self._file is None:
            return
        with closing(self._connect(self._file)) as base, base:
            rows = [(self._key(text), vector.tobytes()) for text, vector in vectors.items()]
            base.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def _key(self, text: str) -> bytes:
        return sha256(f"{self.encoder.name}\0{text}".encode()).digest()

    @staticmethod
    def _connect(file: Path) -> sqlite3.Connection:
        return sqlite3.connect(file, timeout=60.0)
