"""Checkpoints of Kokoro: `config.json` with the symbols, `model.safetensors`, `voices/` with a file per voice, and
`README.md`."""

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
from speech.models.kokoro import Kokoro, KokoroConfig
from speech.models.kokoro_voice import VOICES, KokoroVoice, check_voice, load_voices, save_voices
from speech.models.storage import (
    KOKORO,
    RECORD,
    load_weights,
    read_record,
    save_weights,
    without_memory,
    write_record,
)
from speech.nn.kokoro.albert import AlbertConfig
from speech.nn.kokoro.decoder import StyleDecoderConfig
from speech.nn.kokoro.generator import GeneratorConfig
from speech.nn.kokoro.norm_statistics import statistics_size
from speech.text.symbol_table import SymbolTable

_WEIGHTS = {"model.safetensors": ""}
_STEPS = {"": 0.35, "decoder.generator": 0.1, "decoder.generator.stages.0": 0.2}
"""Steps of compact weights. Coarser ones near the samples are heard: with .3 in the last stage alone, DistillMOS of
English falls from 4.6 to 4.45, and anywhere else by .03 at most."""


@dataclass(frozen=True, slots=True)
class KokoroCheckpoint:
    """A loaded Kokoro with its symbols, voices and metadata."""

    model: Kokoro
    symbols: SymbolTable
    voices: Mapping[str, KokoroVoice]
    """By name."""
    info: dict[str, Any]
    """Origin and licence."""


def save_kokoro_checkpoint(
    directory: Path,
    checkpoint: KokoroCheckpoint,
    *,
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        checkpoint: model with symbols, voices and JSON-serializable metadata.
        card: model card in Markdown, written to `README.md`.
        storage: precision of the model on disk; voices are float16 if it is not float32.
        attached: name in the directory -> file to copy there.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a number is not finite, or too large for `storage`, or a voice or symbol does not fit the model.
    """
    config = checkpoint.model.config
    check_symbols(checkpoint.symbols, config, str(directory))
    channels = statistics_size(checkpoint.model.decoder)
    for name, voice in checkpoint.voices.items():
        check_voice(name, voice, config.style_dim, channels, f"voice {name}")
    of_voices = torch.float32 if storage == Storage.float32 else torch.float16
    with replacing_folder(directory) as folder:
        save_weights(folder, _WEIGHTS, checkpoint.model, storage, directory, steps=_STEPS)
        save_voices(folder / VOICES, checkpoint.voices, of_voices)
        record = {
            "model": dataclasses.asdict(config),
            "symbols": dict(checkpoint.symbols.numbers),
            "info": checkpoint.info,
        }
        write_record(folder, KOKORO, record, card, attached)


def load_kokoro_checkpoint(directory: Path, *, device: str | torch.device = "cpu") -> KokoroCheckpoint:
    """Load a Kokoro in float32 and evaluation mode.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    record, where = _record(directory), str(directory / RECORD)
    config = _config(record["model"], where)
    symbols = symbol_table(record["symbols"], where)
    check_symbols(symbols, config, where)
    with without_memory():
        model = config.build()
    load_weights(model, directory, _WEIGHTS, as_stored=False)
    voices = load_voices(directory / VOICES, config.style_dim)
    channels = statistics_size(model.decoder)
    for name, voice in voices.items():
        check_voice(name, voice, config.style_dim, channels, str(directory / VOICES / name))
    return KokoroCheckpoint(model.to(device), symbols, voices, record["info"])


def load_kokoro_voices(directory: Path) -> dict[str, KokoroVoice]:
    """Load the voices of a checkpoint without its model.

    Raises:
        ModelError: as `load_kokoro_checkpoint`.
    """
    return load_voices(directory / VOICES, load_kokoro_config(directory).style_dim)


def load_kokoro_config(directory: Path) -> KokoroConfig:
    """The shape of a checkpoint's model; errors as `load_kokoro_checkpoint`."""
    return _config(_record(directory)["model"], str(directory / RECORD))


def symbol_table(numbers: Any, where: str) -> SymbolTable:
    """The table of a file's record.

    Raises:
        ModelError: if it is none.
    """
    if not isinstance(numbers, dict) or not numbers:
        raise ModelError("has no table of symbols", where=where)
    try:
        return SymbolTable(numbers)
    except ModelError as error:
        raise ModelError(error.what, where=where) from error


def check_symbols(symbols: SymbolTable, config: KokoroConfig, where: str) -> None:
    """Refuse symbols that the model has no embedding of.

    Raises:
        ModelError: naming the symbol.
    """
    for symbol, number in symbols.numbers.items():
        if number >= config.symbols:
            raise ModelError(f"symbol {symbol!r} has number {number}, the model {config.symbols} symbols", where=where)


def _record(directory: Path) -> Any:
    return read_record(directory, (KOKORO,), _WEIGHTS, ("model", "symbols", "info"))


def _config(record: Any, where: str) -> KokoroConfig:
    try:
        inner = {
            "albert": AlbertConfig(**record["albert"]),
            "decoder": StyleDecoderConfig(**record["decoder"]),
            "generator": GeneratorConfig(**record["generator"]),
        }
        return KokoroConfig(**{**record, **inner})
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=where) from error
