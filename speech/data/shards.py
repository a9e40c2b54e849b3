"""Lhotse Shar out and in: a corpus as numbered tar files that are read from start to end."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from itertools import batched
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
from lhotse import AudioSource, MonoCut
from lhotse.audio.backend import audio_backend
from lhotse.shar import SharWriter

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.cuts import from_cut, to_cut
from speech.data.manifest import Utterance
from speech.errors import ConfigError, DataError

AudioFormat = Literal["flac", "opus"]

_log = logging.getLogger(__name__)
# Lhotse takes every name in a folder for a field, so the markers are beside its folder.
_SHAR = "shar"
_INDEX = "index.json"


def write_shards(
    utterances: Sequence[Utterance],
    directory: Path,
    shard_size: int = 1000,
    audio_format: AudioFormat = "flac",
) -> None:
    """Writes 16 kHz mono audio as `shar/cuts.NNNNNN.jsonl.gz` and `shar/recording.NNNNNN.tar`.

    `CutSet.from_shar(in_dir=directory / "shar")` reads them too. Interrupted, it continues with the first shard that
    has no marker `shard.NNNNNN.json`; a shard whose utterances or format have changed since is written again.
    `index.json` comes last.

    Args:
        utterances: the corpus; its order is kept.
        directory: created if missing.
        shard_size: utterances of a shard.
        audio_format: "flac" keeps 16-bit samples exactly, "opus" is about ten times smaller and lossy.

    Raises:
        ConfigError: if `shard_size` or the format is none.
        AudioError: if a file cannot be read.
    """
    if shard_size < 1 or audio_format not in ("flac", "opus"):
        raise ConfigError(f"shard size {shard_size}, format {audio_format!r}, expected at least 1, flac or opus")
    directory = Path(directory)
    (directory / _SHAR).mkdir(parents=True, exist_ok=True)
    (directory / _INDEX).unlink(missing_ok=True)
    shards = [list(shard) for shard in batched(utterances, shard_size)]
    for number, shard in enumerate(shards):
        marker = directory / f"shard.{number:06d}.json"
        description = {"utterances": len(shard), "audio_format": audio_format, "digest": _digest(shard)}
        if marker.is_file() and _read_json(marker) == description:
            _log.info("shard %d of %d is complete", number + 1, len(shards))
            continue
        marker.unlink(missing_ok=True)
        _write_shard(shard, directory, number, audio_format)
        _write_json(marker, description)
    _remove_from(directory, len(shards))
    _write_json(
        directory / _INDEX, {"shards": len(shards), "utterances": len(utterances), "audio_format": audio_format}
    )


def read_shards(directory: Path, shards: Sequence[int] | None = None) -> Iterator[tuple[Utterance, np.ndarray]]:
    """Utterances, as they were written, with samples (n,) float32 at 16 kHz.

    `audio` of an utterance is the file that it came from, which need not exist any more.

    Args:
        directory: what `write_shards` wrote.
        shards: numbers of those to read, in that order (workers and ranks take different ones); all by default.

    Raises:
        DataError: if the directory is incomplete or a shard does not exist.
    """
    directory = Path(directory)
    complete = n_shards(directory)
    for number in range(complete) if shards is None else shards:
        if not 0 <= number < complete:
            raise DataError(f"no shard {number}, it has {complete}", where=str(directory))
        yield from _read_shard(directory / _SHAR, number)


def n_shards(directory: Path) -> int:
    """How many shards a complete directory holds; DataError if it is incomplete."""
    return int(_index(Path(directory))["shards"])


def _read_shard(folder: Path, number: int) -> Iterator[tuple[Utterance, np.ndarray]]:
    # Not Lhotse's reader (1.33): it leaves the tar file open.
    path = folder / f"recording.{number:06d}.tar"
    try:
        with (
            gzip.open(folder / f"cuts.{number:06d}.jsonl.gz", "rt", encoding="utf-8", newline="\n") as lines,
            tarfile.open(path) as tar,
        ):
            recordings = (member for member in tar if not member.name.endswith(".json"))
            for line, member in zip(lines, recordings, strict=True):
                utterance = from_cut(MonoCut.from_dict(json.loads(line)))
                stream = tar.extractfile(member)
                if stream is None or member.name.rpartition(".")[0] != utterance.id:
                    raise DataError(f"has {member.name} where {utterance.id} is due", where=str(path))
                yield utterance, load_audio(stream.read())
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise DataError(
            f"cannot be read: {error}", where=str(path), fix="Delete its marker and write again."
        ) from error


def _index(directory: Path) -> dict[str, Any]:
    if not (directory / _INDEX).is_file():
        raise DataError(
            f"has no {_INDEX}: it was never written to its end",
            where=str(directory),
            fix="Call write_shards again; complete shards are kept.",
        )
    return _read_json(directory / _INDEX)


def _write_shard(utterances: Sequence[Utterance], directory: Path, number: int, audio_format: AudioFormat) -> None:
    """Writes one shard aside and moves it in place when it is whole."""
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
    """Removes shards `number` and later, of an earlier and longer corpus."""
    while (marker := directory / f"shard.{number:06d}.json").exists():
        marker.unlink()
        for path in (directory / _SHAR).glob(f"*.{number:06d}.*"):
            path.unlink()
        number += 1


def _cut_in_memory(utterance: Utterance) -> MonoCut:
    """A cut that holds the utterance's audio, whatever its file's rate and channels, as 16 kHz mono."""
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


def _write_json(path: Path, content: dict[str, Any]) -> None:
    aside = path.with_name(f"{path.name}.partial")
    aside.write_text(json.dumps(content), encoding="utf-8")
    aside.replace(path)
