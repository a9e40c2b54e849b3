"""Data of a run: reads manifests or shards as train, dev and test utterances, and weights the languages."""

from __future__ import annotations

from pathlib import Path

from speech.data.manifest import Utterance, read_manifest
from speech.data.mixing import hours_per_language, temperature, unimax
from speech.data.shards import shard_utterances
from speech.errors import ConfigError, DataError
from speech.text.lines import read_lines
from speech.train.asr.config import DataConfig, Mixing, RunConfig


def read_corpus(config: RunConfig, *, check_files: bool = True) -> dict[str, list[Utterance]]:
    """Read the utterances of train, dev and test, restricted to the configured languages.

    Args:
        config: configuration of the run.
        check_files: whether the audio has to be there.

    Raises:
        ConfigError: if no data root is given.
        DataError: if a part is broken or empty, or audio is missing (test audio only if it is evaluated).
        FileError: if the exclusion list cannot be read.
    """
    data = config.data
    if not data.root:
        raise ConfigError("data.root is not set", fix="Give the folder of the manifests, e.g. data.root=/corpus.")
    corpus: dict[str, list[Utterance]] = {}
    for part in ("train", "dev", "test"):
        path = Path(data.root) / getattr(data, part)
        if part == "train":
            utterances = _training(data, path, check_files)
            path = Path(data.shards) if data.shards else path
        else:
            wanted = check_files and (part != "test" or config.evaluate)
            utterances = read_manifest(path, Path(data.root), check_files=wanted)
        corpus[part] = [u for u in utterances if not data.languages or set(u.languages) <= set(data.languages)]
        if not corpus[part]:
            raise DataError("holds no utterance of the languages asked for", where=str(path))
    return corpus


def _training(data: DataConfig, manifest: Path, check_files: bool) -> list[Utterance]:
    """Training utterances: from the manifest or the shards, plus `data.also`, without excluded ones."""
    excluded: set[str] = set()
    if data.exclude:
        excluded = {line.strip(" \t") for line in read_lines(Path(data.exclude))}
    if data.shards:
        utterances = shard_utterances(Path(data.shards))
    else:
        utterances = read_manifest(manifest, Path(data.root), check_files=check_files)
    also = [u for more in data.also for u in read_manifest(Path(more), check_files=check_files)]
    return [u for u in utterances + also * data.also_times if u.id not in excluded]


def language_weights(data: DataConfig, utterances: list[Utterance]) -> dict[str, float] | None:
    """Language -> share of the seconds of an epoch; None keeps the corpus distribution."""
    hours = hours_per_language(utterances)
    if data.mixing == Mixing.unimax:
        return unimax(hours, sum(hours.values()), data.unimax_epochs)
    return None if data.temperature == 1.0 else temperature(hours, data.temperature)
