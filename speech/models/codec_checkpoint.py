"""Checkpoints of codecs: `config.json`, `model.safetensors` and `README.md`; they have no vocabulary."""

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
from speech.models.codec import CodecConfig, DecoderHead, NeuralCodec
from speech.models.storage import (
    CODEC,
    RECORD,
    load_weights,
    read_record,
    save_weights,
    without_memory,
    write_record,
)
from speech.nn.codec.gfsq import GfsqConfig
from speech.nn.codec.hifi_gan import HifiGanConfig

_WEIGHTS = {"model.safetensors": ""}


@dataclass(frozen=True, slots=True)
class CodecCheckpoint:
    """A loaded codec and its metadata."""

    model: NeuralCodec
    info: dict[str, Any]
    """Origin and training metadata."""


def save_codec_checkpoint(
    directory: Path,
    checkpoint: CodecCheckpoint,
    *,
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a codec's checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        checkpoint: codec with GFSQ, and JSON-serializable metadata.
        card: model card in Markdown, written to `README.md`.
        storage: precision on disk.
        attached: name in the directory -> file to copy there.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a parameter is not finite, or too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        save_weights(folder, _WEIGHTS, checkpoint.model, storage, directory)
        record = {"model": dataclasses.asdict(checkpoint.model.config), "info": checkpoint.info}
        write_record(folder, CODEC, record, card, attached)


def load_codec_checkpoint(directory: Path, *, device: str | torch.device = "cpu") -> CodecCheckpoint:
    """Load a codec in float32 and evaluation mode.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    record = read_record(directory, (CODEC,), _WEIGHTS, ("model", "info"))
    config = _config(record["model"], str(directory / RECORD))
    with without_memory():
        model = config.build()
    load_weights(model, directory, _WEIGHTS, as_stored=False)
    return CodecCheckpoint(model.to(device), record["info"])


def _config(record: Any, where: str) -> CodecConfig:
    try:
        inner = {"quantizer": GfsqConfig(**record["quantizer"]), "hifi_gan": HifiGanConfig(**record["hifi_gan"])}
        return CodecConfig(**{**record, **inner, "head": DecoderHead(record["head"])})
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=where) from error
