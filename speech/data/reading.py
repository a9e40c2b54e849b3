"""Read the audio of a corpus. Unreadable files are logged and left out, until there are too many."""

from __future__ import annotations

import logging
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import ShardRecord, Utterance
from speech.errors import AudioError, DataError, SpeechError
from speech.files import printable
from speech.files import reason as said_by

_log = logging.getLogger(__name__)

REWRITE = "Delete the shard's marker (shard.NNNNNN.json) and write the shards again."
_LONGEST_NAME = 99
"""Maximum bytes of a name in a tar header; longer and non-ASCII names are stored in an extra header."""
_INT16 = 32768.0


class Unreadable(NamedTuple):
    """An utterance whose audio could not be read."""

    id: str
    reason: str
    """In one line."""


def read_audio(utterance: Utterance, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read an utterance's samples `(n,)` float32 at `rate` Hz, from its file or its record in a shard.

    Raises:
        AudioError: if the file cannot be read.
        DataError: naming shard and record, if the record cannot be read.
    """
    if utterance.record is None:
        return load_audio(utterance.audio, rate=rate)
    shard, number, offset, size = utterance.record
    where = f"{printable(shard)}, record {number} ({printable(utterance.id)})"
    try:
        with shard.open("rb") as file:
            file.seek(offset - tarfile.BLOCKSIZE)
            header = tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
            content = file.read(size)
        if header.size != size or len(content) != size:
            raise DataError(f"{len(content)} bytes of {header.size}, expected {size}", where=where, fix=REWRITE)
        named = header.name.rpartition(".")[0]
        if utterance.id.isascii() and len(header.name) < _LONGEST_NAME and named != utterance.id:
            raise DataError(f"holds {printable(header.name)}", where=where, fix=REWRITE)
        return load_audio(content, name=where, rate=rate)
    except OSError as error:
        raise DataError(f"cannot be read: {said_by(error)}", where=where) from error
    except tarfile.TarError as error:
        raise DataError(f"does not begin where it was written: {error}", where=where, fix=REWRITE) from error
    except AudioError as error:
        raise DataError(f"cannot be decoded: {error.what}", where=where, fix=REWRITE) from error


class AudioReader:
    """Reads the samples of utterances.

    Args:
        cache: cache all decoded audio in memory, as int16 (115 MB per hour at 16 kHz), in each reading process.
        rate: sample rate in Hz.
    """

    def __init__(self, cache: bool = False, rate: int = SAMPLE_RATE) -> None:
        self._rate = rate
        self._cache: dict[Path | ShardRecord, np.ndarray] | None = {} if cache else None

    def __call__(self, utterance: Utterance) -> np.ndarray | Unreadable:
        """Return samples `(n,)` float32, or the reason why they cannot be read."""
        try:
            return self._samples(utterance)
        except SpeechError as error:
            found = str(error)
        except Exception as error:  # a decoder's failure on one file must not affect others
            found = f"{utterance.record.shard if utterance.record else utterance.audio}: {type(error).__name__} {error}"
        return Unreadable(utterance.id, printable(found))

    def _samples(self, utterance: Utterance) -> np.ndarray:
        if self._cache is None:
            return read_audio(utterance, self._rate)
        key = utterance.record or utterance.audio
        if key not in self._cache:
            loud = read_audio(utterance, self._rate) * _INT16
            self._cache[key] = np.clip(np.rint(loud), -_INT16, _INT16 - 1).astype(np.int16)
        return self._cache[key].astype(np.float32) / np.float32(_INT16)


class Tally:
    """Counts the unreadable utterances of a part of the corpus; each is logged once.

    Args:
        part: name of the part, for messages.
        utterances: number of its utterances.
        share: share that may be unreadable. If it is above 0, at least one may be, but never all.
    """

    def __init__(self, part: str, utterances: int, share: float) -> None:
        self._part, self._utterances, self._share = part, utterances, share
        self.most = min(max(1, int(share * utterances)), max(utterances - 1, 0)) if share > 0 else 0
        self.found: dict[str, str] = {}
        """Id -> reason."""

    def add(self, unreadable: Iterable[Unreadable]) -> None:
        """Count utterances, and log those not counted before."""
        for name, reason in unreadable:
            if name not in self.found:
                self.found[name] = reason
                _log.warning("%s: %s is left out: %s", self._part, printable(name), reason)

    @property
    def error(self) -> DataError | None:
        """The error to raise if too many utterances are unreadable; otherwise None."""
        if len(self.found) <= self.most:
            return None
        name, reason = next(reversed(self.found.items()))
        return DataError(
            f"{len(self.found)} of {self._utterances} cannot be read, the last is {printable(name)}: {reason}",
            where=self._part,
            fix=f"Mend the files, or allow more than data.max_unreadable={self._share:g}.",
        )

    def check(self) -> None:
        """Raise DataError if too many utterances are unreadable."""
        if self.error is not None:
            raise self.error
