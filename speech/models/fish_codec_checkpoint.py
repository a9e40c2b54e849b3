"""Checkpoints of Firefly, the codec of Fish-Speech: `config.json`, `model.safetensors` and `README.md`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from speech.choices import Storage
from speech.errors import ConfigError, ModelError
from speech.files import replacing_folder
from speech.models.fish_codec import FishCodec, FishCodecConfig
from speech.models.storage import FIREFLY, RECORD, load_weights, read_record, save_weights, without_memory, write_record
from speech.nn.codec.gfsq import GfsqConfig
from speech.nn.codec.hifi_gan import HifiGanConfig

_WEIGHTS = {"model.safetensors": ""}


def save_fish_codec(directory: Path, codec: FishCodec, info: dict[str, Any], card: str, storage: Storage) -> None:
    """Write a codec's checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        codec: to write.
        info: origin and licence, JSON-serializable.
        card: model card in Markdown, written to `README.md`.
        storage: precision on disk.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a number is not finite, or too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        save_weights(folder, _WEIGHTS, codec, storage, directory)
        write_record(folder, FIREFLY, {"model": dataclasses.asdict(codec.config), "info": info}, card)


def load_fish_codec(directory: Path, *, device: str | torch.device = "cpu") -> FishCodec:
    """Load a codec in float32 and evaluation mode.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    record = read_record(directory, (FIREFLY,), _WEIGHTS, ("model", "info"))
    try:
        own = record["model"]
        inner = {"quantizer": GfsqConfig(**own["quantizer"]), "hifi_gan": HifiGanConfig(**own["hifi_gan"])}
        config = FishCodecConfig(**{**own, **inner})
        with without_memory():
            codec = config.build()
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=str(directory / RECORD)) from error
    load_weights(codec, directory, _WEIGHTS, as_stored=False)
    return codec.to(device)
