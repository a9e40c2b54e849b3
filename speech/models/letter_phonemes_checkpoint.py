"""Checkpoints of pronunciation models: `config.json`, `model.safetensors` and `README.md`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from speech.choices import Storage
from speech.errors import ConfigError, ModelError
from speech.files import replacing_folder
from speech.models.letter_phonemes import LetterPhonemes, LetterPhonemesConfig
from speech.models.storage import (
    PRONUNCIATION,
    RECORD,
    load_weights,
    read_record,
    save_weights,
    without_memory,
    write_record,
)
from speech.text.letter_vocabulary import LetterVocabulary

_WEIGHTS = {"model.safetensors": ""}


@dataclass(frozen=True, slots=True)
class LetterPhonemesCheckpoint:
    """A loaded pronunciation model with its metadata."""

    model: LetterPhonemes
    info: dict[str, Any]
    """Origin and training metadata."""


def save_letter_phonemes_checkpoint(
    directory: Path,
    checkpoint: LetterPhonemesCheckpoint,
    *,
    card: str,
    storage: Storage = Storage.float16,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        checkpoint: model and JSON-serializable metadata.
        card: model card in Markdown, written to `README.md`.
        storage: precision on disk.
        attached: name in the directory -> file to copy there.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a parameter is not finite, or too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        save_weights(folder, _WEIGHTS, checkpoint.model, storage, directory)
        record = {
            "model": dataclasses.asdict(checkpoint.model.config),
            "vocabulary": dataclasses.asdict(checkpoint.model.vocabulary),
            "info": checkpoint.info,
        }
        write_record(folder, PRONUNCIATION, record, card, attached)


def load_letter_phonemes_checkpoint(directory: Path, *, device: str | torch.device = "cpu") -> LetterPhonemesCheckpoint:
    """Load a pronunciation model in float32 and evaluation mode.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    record = read_record(directory, (PRONUNCIATION,), _WEIGHTS, ("model", "vocabulary", "info"))
    try:
        config, read = LetterPhonemesConfig(**record["model"]), record["vocabulary"]
        vocabulary = LetterVocabulary(str(read["letters"]), str(read["phonemes"]), tuple(read["languages"]))
        repeated = [own for own in dataclasses.astuple(vocabulary) if len({*own}) < len(own)]
    except (TypeError, KeyError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=str(directory / RECORD)) from error
    if repeated:
        raise ModelError(f"vocabulary: {repeated[0]!r} has something twice", where=str(directory / RECORD))
    with without_memory():
        model = config.build(vocabulary)
    load_weights(model, directory, _WEIGHTS, as_stored=False)
    return LetterPhonemesCheckpoint(model.to(device), record["info"])
