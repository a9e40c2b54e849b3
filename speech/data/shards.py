"""Write and read Lhotse Shar: a corpus as numbered tar files with random access to records."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.cuts import from_cut, to_cut
from speech.data.manifest import ShardRecord, Utterance
from speech.data.reading import REWRITE, read_audio
from speech.errors import ConfigError, DataError
from speech.files import printable, reason, write_atomically

if TYPE_CHECKING:
    from lhotse import MonoCut

AudioFormat = Literal["flac", "opus"]

_log = logging.getLogger(__name__)
# Lhotse interprets every file in its folder as a field, so the markers are outside it.
_SHAR = "shar"
_INDEX, _RECORDS = "index.json", "records"


def write_shards(
    utterances: Sequence[Utterance],
    directory: Path,
    shard_size: int = 1000,
    audio_format: AudioFormat = "flac",
) -> None:
    """Write a corpus as 16 kHz mono audio: `shar/cuts.NNNNNN.jsonl.gz` and `shar/recording.NNNNNN.tar`.

    `CutSet.from_shar(in_dir=directory / "shar")` reads the shards too. A marker `shard.NNNNNN.json` shows that a shard
    is complete, and contains the offsets of its recordings in the tar file. After an interruption, writing resumes at
    the first shard without a marker. Shards whose utterances or format have changed are rewritten. `index.json` is
    written last.

    Args:
        utterances: the corpus; its order is kept.
        directory: created if missing.
        shard_size: utterances per shard.
        audio_format: "flac" keeps 16-bit samples exactly, "opus" is about ten times smaller and lossy.

    Raises:
        ConfigError: if `shard_size` is below 1 or the format is unknown.
        AudioError: if a file cannot be read.
        FileError: if a marker or the index cannot be written.
    """
    if shard_size < 1 or audio_format not in ("flac", "opus"):
        raise ConfigError(f"shard size {shard_size}, format {audio_format!r}, expected at least 1, flac or opus")
    directory = Path(directory)
    (directory / _SHAR).mkdir(parents=True, exist_ok=True)
    (directory / _INDEX).unlink(missing_ok=True)
    shards = [list(shard) for shard in batched(utterances, shard_size)]
    for number, shard in enumerate(shards):
        marker = directory / f"shard.{number:06d}.json"
        description: dict[str, Any] = {"utterances": len(shard), "audio_format": audio_format, "digest": _digest(shard)}
        if marker.is_file() and _is_of(_read_json(marker), description):
            _log.info("shard %d of %d is complete", number + 1, len(shards))
            continue
        marker.unlink(missing_ok=True)
        _write_shard(shard, directory, number, audio_format)
        description[_RECORDS] = _places(directory / _SHAR / f"recording.{number:06d}.tar")
        write_atomically(marker, json.dumps(description))
    _remove_from(directory, len(shards))
    index = {"shards": len(shards), "utterances": len(utterances), "audio_format": audio_format}
    write_atomically(directory / _INDEX, json.dumps(index))


def shard_utterances(directory: Path, shards: Sequence[int] | None = None) -> list[Utterance]:
    """List the utterances of shards in order, each with the record of its audio; no audio is read.

    `audio` of an utterance is its original file, which need not exist any more.

    Args:
        directory: directory written by `write_shards`.
        shards: numbers of the shards to list, in order; all by default.

    Raises:
        DataError: naming shard and, where known, record, if the directory is incomplete, or a shard does not exist or
            was changed after writing.
    """
    directory = Path(directory)
    complete, found = n_shards(directory), list[Utterance]()
    for number in range(complete) if shards is None else shards:
        if not 0 <= number < complete:
            raise DataError(f"no shard {number}, it has {complete}", where=printable(directory))
        found += _listed(directory, number)
    return found


def read_shards(directory: Path, shards: Sequence[int] | None = None) -> Iterator[tuple[Utterance, np.ndarray]]:
    """Yield the utterances of `shard_utterances` in order, with samples `(n,)` float32 at 16 kHz.

    Args:
        directory: directory written by `write_shards`.
        shards: numbers of the shards to read, in order; all by default.

    Raises:
        DataError: as `shard_utterances`, or if a record cannot be read.
    """
    for utterance in shard_utterances(directory, shards):
        yield utterance, read_audio(utterance)


def n_shards(directory: Path) -> int:
    """Number of shards in a complete directory. Raises DataError if it is incomplete."""
    return int(_index(Path(directory))["shards"])


def _listed(directory: Path, number: int) -> list[Utterance]:
    """List the utterances of one shard."""
    marker, tar = directory / f"shard.{number:06d}.json", directory / _SHAR / f"recording.{number:06d}.tar"
    cuts = directory / _SHAR / f"cuts.{number:06d}.jsonl.gz"
    try:
        description, size = _read_json(marker), tar.stat().st_size
        with gzip.open(cuts, "rt", encoding="utf-8", newline="\n") as file:
            lines = list(file)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        said = reason(error) if isinstance(error, OSError) else str(error)
        where = f"{printable(directory)}, shard {number}"
        raise DataError(f"cannot be read: {said}", where=where, fix=REWRITE) from error
    places = description.get(_RECORDS)
    if places is None:
        raise DataError("does not say where its records are", where=printable(marker), fix=REWRITE)
    if len(lines) != len(places):
        raise DataError(f"has {len(lines)} records, expected {len(places)}", where=printable(cuts), fix=REWRITE)
    found = []
    for record, (line, (offset, length)) in enumerate(zip(lines, places, strict=True)):
        if offset + length > size:
            raise DataError(
                f"ends after {size} bytes, expected {offset + length} or more",
                where=f"{printable(tar)}, record {record}",
                fix=REWRITE,
            )
        utterance = _utterance(line, f"{printable(cuts)}, record {record}")
        found.append(replace(utterance, record=ShardRecord(tar, record, offset, length)))
    if _digest(found) != description["digest"]:
        raise DataError(f"is not what {marker.name} was written for", where=printable(cuts), fix=REWRITE)
    return found


def _utterance(line: str, where: str) -> Utterance:
    from lhotse import MonoCut

    try:
        return from_cut(MonoCut.from_dict(json.loads(line)))
    except (DataError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = error.what if isinstance(error, DataError) else f"{type(error).__name__} {error}"
        raise DataError(f"is no utterance: {said}", where=where, fix=REWRITE) from error


def _places(tar: Path) -> list[tuple[int, int]]:
    """Offset and size of the recordings of a shard, in order."""
    with tarfile.open(tar) as file:
        return [(member.offset_data, member.size) for member in file if not member.name.endswith(".json")]


def _is_of(marker: dict[str, Any], description: dict[str, Any]) -> bool:
    """Whether a marker matches the current description of its shard."""
    return _RECORDS in marker and {name: marker.get(name) for name in description} == description


def _index(directory: Path) -> dict[str, Any]:
    if not (directory / _INDEX).is_file():
        raise DataError(
            f"has no {_INDEX}: it was never written to its end",
            where=printable(directory),
            fix="Write the shards again; those that are complete are kept.",
        )
    return _read_json(directory / _INDEX)


def _write_shard(utterances: Sequence[Utterance], directory: Path, number: int, audio_format: AudioFormat) -> None:
    """Write one shard to a temporary folder and move it into place when complete."""
    from lhotse.audio.backend import audio_backend
    from lhotse.shar import SharWriter

    aside = directory / f"partial.{number:06d}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    fields = {"recording": audio_format}
    # Lhotse's other backends resample Opus to 48 kHz.
    with (
        audio_backend("LibsndfileBackend"),
        SharWriter(str(aside), fields=fields, shard_size=None, shard_suffix=f".{number:06d}") as writer,
    ):
        for utterance in utterances:
            writer.write(_cut_in_memory(utterance))
    for path in sorted(aside.iterdir()):
        path.replace(directory / _SHAR / path.name)
    aside.rmdir()


def _remove_from(directory: Path, number: int) -> None:
    """Remove shards from `number` on, left over from an earlier, longer corpus."""
    while (marker := directory / f"shard.{number:06d}.json").exists():
        marker.unlink()
        for path in (directory / _SHAR).glob(f"*.{number:06d}.*"):
            path.unlink()
        number += 1


def _cut_in_memory(utterance: Utterance) -> MonoCut:
    """Make a cut that contains the utterance's audio in memory, converted to 16 kHz mono."""
    from lhotse import AudioSource

    samples = load_audio(utterance.audio)
    stream = io.BytesIO()
    soundfile.write(stream, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    source = AudioSource(type="memory", channels=[0], source=stream.getvalue())
    return to_cut(utterance, source, len(samples))


def _digest(utterances: Sequence[Utterance]) -> str:
    return hashlib.sha256(repr(utterances).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
