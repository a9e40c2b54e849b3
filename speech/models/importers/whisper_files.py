"""Reads the files of published Whisper models in either layout, under our names.

Hugging Face's layout is `config.json`, `generation_config.json` and `model.safetensors`, in one file or several;
CTranslate2's is `model.bin` and `config.json`. Settings that our model does not support are rejected by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.errors import ModelError
from speech.files import printable, read_text
from speech.models.importers.ctranslate2_file import read_ctranslate2
from speech.models.importers.whisper_layouts import SCALE, from_ctranslate2, from_hugging_face
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.tensors import check_finite, load_tensors

_WEIGHTS, _INDEX, _ARRAYS = "model.safetensors", "model.safetensors.index.json", "model.bin"
_CONFIG, _GENERATION, _PREPROCESSOR = "config.json", "generation_config.json", "preprocessor_config.json"
_EXPECTED: dict[str, Any] = {"activation_function": "gelu", "scale_embedding": False, "tie_word_embeddings": True}
"""Required settings in `config.json`, which are also their defaults."""
_SWITCHES = {"activation": 3, "pre_norm": 1}
"""Required settings in `model.bin`: GELU and pre-norm; all other switches must be 0."""
_FREE = {"num_heads", "alignment_layer", "alignment_heads"}
_FRONT_END = {"sampling_rate": SAMPLE_RATE, "n_fft": 400, "hop_length": 160}


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """Generation settings."""

    suppressed: list[int]
    suppressed_first: list[int]
    alignment_heads: list[tuple[int, int]]
    english_only: bool | None
    """None: not specified by the file."""
    languages: list[int]
    """Token ids of the languages; empty if not specified by the file."""
    start: int | None
    """Token that starts a transcript."""


@dataclass(frozen=True, slots=True)
class PublishedWhisper:
    """Weights and settings, common to both layouts."""

    tensors: dict[str, Tensor]
    """Tensors under our names, in the file's precision."""
    encoder: WhisperEncoderConfig
    decoder: LabelDecoderConfig
    settings: GenerationConfig
    positions: int
    """Maximum encoder frames per input, as trained."""
    where: str
    """The weights file."""


def is_whisper(directory: Path) -> bool:
    """Whether a directory appears to hold a Whisper model.

    Raises:
        ModelError: if its `config.json` is not JSON.
    """
    if (directory / _ARRAYS).is_file():
        return True
    config = directory / _CONFIG
    return config.is_file() and _read_json(config).get("model_type") == "whisper"


def read_whisper(directory: Path) -> PublishedWhisper:
    """Read all files except the tokenizer.

    Raises:
        FileError: if a file cannot be read.
        ModelError: naming file and key, if it is another kind of model, or incomplete.
    """
    config = _Record(_read_json(directory / _CONFIG), printable(directory / _CONFIG))
    arrays = directory / _ARRAYS
    source = _ctranslate2(arrays, config) if arrays.is_file() else _hugging_face(directory, config)
    _check_front_end(directory / _PREPROCESSOR, source.encoder.bins)
    check_finite(source.tensors, source.where, "Get it again.")
    return source


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of one file in Hugging Face's layout, under our names: a whole model, or its encoder alone.

    Raises:
        ModelError: if the file is not a Whisper, is damaged, or holds numbers that are not finite.
    """
    return _named(from_hugging_face, load_tensors(path), printable(path))


class _Record:
    """Settings of a file; typed accessors raise ModelError, naming the setting."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values, self.where = values, where

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ModelError(f"{name} is {value!r}, expected a whole number", where=self.where)
        return value

    def tokens(self, name: str) -> list[int]:
        return [int(token) for token in self._list(name) if self._is_whole(token, name)]

    def pairs(self, name: str) -> list[tuple[int, int]]:
        pairs = self._list(name)
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise ModelError(f"{name} is no list of pairs", where=self.where)
        return [(int(a), int(b)) for a, b in pairs if self._is_whole(a, name) and self._is_whole(b, name)]

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            raise ModelError(f"{name} is {value!r}, expected a list", where=self.where)
        return value or []

    def _is_whole(self, value: Any, name: str) -> bool:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ModelError(f"{name} holds {value!r}, expected whole numbers", where=self.where)
        return True


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        fix = "Give the directory of a published Whisper, in the layout of Hugging Face or CTranslate2."
        raise ModelError("is missing", where=printable(path), fix=fix)
    try:
        record = json.loads(read_text(path))
    except ValueError as error:
        raise ModelError(f"is not JSON: {error}", where=printable(path)) from error
    if not isinstance(record, dict):
        raise ModelError("is no table of settings", where=printable(path))
    return record


def _hugging_face(directory: Path, config: _Record) -> PublishedWhisper:
    kind = config.values.get("model_type")
    if kind != "whisper":
        raise ModelError(f"model_type is {kind!r}, expected 'whisper'", where=config.where)
    for name, value in _EXPECTED.items():
        found = config.values.get(name, value)
        if found != value:
            raise ModelError(f"{name} is {found!r}, expected {value!r}", where=config.where)
    path = directory / _GENERATION
    generation = _Record({**config.values, **(_read_json(path) if path.is_file() else {})}, printable(path))
    languages = generation.values.get("lang_to_id")
    if languages is not None and not isinstance(languages, dict):
        raise ModelError(f"lang_to_id is {languages!r}, expected a table", where=generation.where)
    multilingual = generation.values.get("is_multilingual")
    settings = GenerationConfig(
        suppressed=generation.tokens("suppress_tokens"),
        suppressed_first=generation.tokens("begin_suppress_tokens"),
        alignment_heads=generation.pairs("alignment_heads"),
        english_only=not multilingual if isinstance(multilingual, bool) else None,
        languages=list((languages or {}).values()),
        start=generation.whole("decoder_start_token_id") if "decoder_start_token_id" in generation.values else None,
    )
    where, tensors = _read_weights(directory)
    return PublishedWhisper(
        tensors=_named(from_hugging_face, tensors, where),
        encoder=WhisperEncoderConfig(
            bins=config.whole("num_mel_bins", 80),
            dim=config.whole("d_model"),
            layers=config.whole("encoder_layers"),
            heads=config.whole("encoder_attention_heads"),
            hidden=config.whole("encoder_ffn_dim"),
            period=None,
        ),
        decoder=LabelDecoderConfig(
            vocabulary=config.whole("vocab_size", 51_865),
            dim=config.whole("d_model"),
            layers=config.whole("decoder_layers"),
            heads=config.whole("decoder_attention_heads"),
            hidden=config.whole("decoder_ffn_dim"),
            positions=config.whole("max_target_positions", 448),
        ),
        settings=settings,
        positions=config.whole("max_source_positions", 1500),
        where=where,
    )


def _read_weights(directory: Path) -> tuple[str, dict[str, Tensor]]:
    """Read all tensors from the single file, or from those named by the index; returns the file's name with them."""
    whole, index = directory / _WEIGHTS, directory / _INDEX
    if whole.is_file():
        return printable(whole), load_tensors(whole)
    if not index.is_file():
        fix = "Only safetensors are read: pickles can execute code. Convert the model with its library."
        raise ModelError("is missing", where=printable(whole), fix=fix)
    places = _read_json(index).get("weight_map")
    if not isinstance(places, dict):
        raise ModelError("has no weight_map", where=printable(index))
    tensors: dict[str, Tensor] = {}
    for name in sorted({str(name) for name in places.values()}):
        if Path(name).name != name or not (directory / name).is_file():
            raise ModelError(f"names {name!r}, which does not lie beside it", where=printable(index))
        tensors |= load_tensors(directory / name)
    missing = sorted(places.keys() - tensors.keys())
    if missing:
        raise ModelError(f"{', '.join(missing[:4])} are in none of its files", where=printable(index))
    return printable(index), tensors


def _ctranslate2(path: Path, config: _Record) -> PublishedWhisper:
    kind, arrays = read_ctranslate2(path)
    where = printable(path)
    if kind != "WhisperSpec":
        raise ModelError(f"holds a {kind}, expected a WhisperSpec", where=where)
    for name in sorted(name for name, array in arrays.items() if array.dim() == 0 and not name.endswith(SCALE)):
        last = name.rsplit("/", 1)[-1]
        if last not in _FREE and arrays[name].item() != _SWITCHES.get(last, 0):
            raise ModelError(f"{name} is {arrays[name].item()}, expected {_SWITCHES.get(last, 0)}", where=where)
    tensors = _named(from_ctranslate2, arrays, where)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}

    def shape(name: str, dims: int) -> tuple[int, ...]:
        if len(shapes.get(name, ())) != dims:
            raise ModelError(f"{name} is missing", where=where)
        return shapes[name]

    def heads(side: str) -> int:
        found = arrays.get(f"{side}/num_heads")
        if found is None or found.dim() or found.item() < 1:
            raise ModelError(f"{side}/num_heads is missing", where=where)
        return int(found.item())

    dim, bins, _ = shape("encoder.subsampling.conv1.weight", 3)
    vocabulary, width = shape("decoder.embed.weight", 2)
    sinusoids = arrays.get("encoder/position_encodings/encodings")
    return PublishedWhisper(
        tensors=tensors,
        encoder=WhisperEncoderConfig(
            bins=bins,
            dim=dim,
            layers=_layers(tensors, "encoder"),
            heads=heads("encoder"),
            hidden=shape("encoder.layers.0.feed_forward.up.weight", 2)[0],
            period=None,
        ),
        decoder=LabelDecoderConfig(
            vocabulary=vocabulary,
            dim=width,
            layers=_layers(tensors, "decoder"),
            heads=heads("decoder"),
            hidden=shape("decoder.layers.0.feed_forward.up.weight", 2)[0],
            positions=shape("decoder.positions", 2)[0],
        ),
        settings=GenerationConfig(
            suppressed=config.tokens("suppress_ids"),
            suppressed_first=config.tokens("suppress_ids_begin"),
            alignment_heads=config.pairs("alignment_heads"),
            english_only=None,
            languages=[],
            start=None,
        ),
        positions=1500 if sinusoids is None else len(sinusoids),
        where=where,
    )


def _layers(names: Iterable[str], side: str) -> int:
    return len({match[1] for name in names if (match := re.match(rf"{side}\.layers\.(\d+)\.", name))})


def _named(
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]], tensors: Mapping[str, Tensor], where: str
) -> dict[str, Tensor]:
    """Rename a layout's tensors to ours; errors name the file."""
    try:
        return rename(tensors)
    except ModelError as error:
        raise ModelError(error.what, where=where, fix=error.fix) from error


def _check_front_end(path: Path, bins: int) -> None:
    if path.is_file():
        found = _read_json(path)
        for name, value in {**_FRONT_END, "feature_size": bins}.items():
            if found.get(name, value) != value:
                raise ModelError(f"{name} is {found[name]!r}, expected {value}", where=printable(path))
