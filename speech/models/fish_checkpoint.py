"""Checkpoints of Fish-Speech 1.4 and 1.5: `config.json`, `model.safetensors`, the published tokenizer, `README.md`, and
the checkpoint of the codec in `codec/`."""

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
from speech.models.fish import FishSpeech
from speech.models.fish_codec import FishCodec
from speech.models.fish_codec_checkpoint import load_fish_codec, save_fish_codec
from speech.models.speech_lm_checkpoint import CODEC_FOLDER, dual_ar_config
from speech.models.storage import FISH, RECORD, load_weights, read_record, save_weights, without_memory, write_record
from speech.text.fish_text import FishVersion
from speech.text.tokenizers.fish import FILES, FishTokenizer, fish_tokenizer

_WEIGHTS = {"model.safetensors": ""}


@dataclass(frozen=True, slots=True)
class FishCheckpoint:
    """A loaded Fish-Speech."""

    model: FishSpeech
    tokenizer: FishTokenizer
    codec: FishCodec
    info: dict[str, Any]
    """Origin and licence."""


def save_fish_checkpoint(
    directory: Path,
    checkpoint: FishCheckpoint,
    *,
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        checkpoint: model, tokenizer, codec, and JSON-serializable metadata.
        card: model card in Markdown, written to `README.md` of model and codec.
        storage: precision on disk; the codec is stored in float16 or more.
        attached: name in the directory -> file to copy there.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a number is not finite, or too large for `storage`.
    """
    tokenizer = checkpoint.tokenizer
    of_codec = Storage.float32 if storage == Storage.float32 else Storage.float16
    with replacing_folder(directory) as folder:
        save_weights(folder, _WEIGHTS, checkpoint.model, storage, directory)
        (folder / FILES[tokenizer.version]).write_bytes(tokenizer.data)
        save_fish_codec(folder / CODEC_FOLDER, checkpoint.codec, checkpoint.info, card, of_codec)
        model = dataclasses.asdict(checkpoint.model.config)
        record = {"version": str(tokenizer.version), "tokens": tokenizer.layout.size, "model": model}
        write_record(folder, FISH, {**record, "info": checkpoint.info}, card, attached)


def load_fish_checkpoint(directory: Path, *, device: str | torch.device = "cpu") -> FishCheckpoint:
    """Load a Fish-Speech in float32 and evaluation mode.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    record = read_record(directory, (FISH,), _WEIGHTS, ("version", "tokens", "model", "info"))
    try:
        version = FishVersion(record["version"])
        file = directory / FILES[version]
        if not file.is_file():
            raise ModelError(f"has no {file.name}", where=str(directory))
        tokenizer = fish_tokenizer(version, file.read_bytes(), int(record["tokens"]), str(file))
        with without_memory():
            model = FishSpeech(dual_ar_config(record["model"]), tokenizer.layout)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=str(directory / RECORD)) from error
    load_weights(model, directory, _WEIGHTS, as_stored=False)
    codec = load_fish_codec(directory / CODEC_FOLDER, device=device)
    return FishCheckpoint(model.to(device), tokenizer, codec, record["info"])
