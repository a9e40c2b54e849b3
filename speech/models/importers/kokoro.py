"""Imports the published Kokoro-82M and its voices, numerically identical.

Its package is not needed. Files are `config.json`, one `*.pth` with five state dicts, and voices in `voices/`: `*.pt`
as the hub has them, or raw little-endian float32 `*.bin`. Instead of the `*.pth` there may be an int8 `*.onnx`, whose
weights are less exact (`speech.models.importers.kokoro_onnx`). Nothing in the files is executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speech.errors import ConfigError, FileError, ModelError
from speech.files import printable, read_text, reason
from speech.models.importers.kokoro_names import from_published, some
from speech.models.importers.kokoro_onnx import read_onnx
from speech.models.kokoro import KokoroConfig
from speech.models.kokoro_checkpoint import KokoroCheckpoint, check_symbols, symbol_table
from speech.models.kokoro_voice import VOICES, KokoroVoice, check_voice
from speech.models.storage import without_memory
from speech.nn.kokoro.albert import AlbertConfig
from speech.nn.kokoro.decoder import StyleDecoderConfig
from speech.nn.kokoro.generator import GeneratorConfig
from speech.tensors import check_finite

_CONFIG = "config.json"
_AGAIN = "Get it again from the repository of the model."
_BLOCK = re.compile(r"decoder\.blocks\.\d+\.conv1\.bias")
_ALBERT: dict[str, Any] = {
    "hidden_act": "gelu_new",
    "layer_norm_eps": 1e-12,
    "num_hidden_groups": 1,
    "inner_group_num": 1,
    "type_vocab_size": 2,
}
"""Required settings of `plbert`, which are also their defaults."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of settings; errors name them with `prefix`."""

    values: Mapping[str, Any]
    prefix: str
    where: str

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.values.get(name, default)
        return _whole_numbers([value], self.prefix + name, self.where)[0]

    def wholes(self, name: str) -> list[int]:
        return _whole_numbers(self.values.get(name), self.prefix + name, self.where)


def _whole_numbers(values: Any, name: str, where: str) -> list[int]:
    """A list of whole numbers of at least 1; an empty one is refused."""
    if not isinstance(values, list) or not values or not all(type(v) is int and v > 0 for v in values):
        raise ModelError(f"{name} is {values!r}, expected whole numbers from 1", where=where)
    return values


def is_kokoro(directory: Path) -> bool:
    """Whether a directory appears to hold a published Kokoro.

    Raises:
        ModelError: if its `config.json` is not JSON.
    """
    path = directory / _CONFIG
    return path.is_file() and {"istftnet", "plbert"} <= _read_json(path).keys()


def import_kokoro(directory: Path) -> KokoroCheckpoint:
    """Load the published model with its symbols and voices, in float32 and evaluation mode; it has no metadata.

    Args:
        directory: a copy of its repository.

    Raises:
        FileError: if a file cannot be read.
        ModelError: naming file and key, if it is another kind of model, incomplete, or its shapes do not match its
            settings.
    """
    settings, where = _read_json(directory / _CONFIG), printable(directory / _CONFIG)
    weights = _one_file(directory)
    parts = read_onnx(weights) if weights.suffix == ".onnx" else _read_weights(weights)
    return build_kokoro(settings, where, parts, printable(weights), read_voices(directory / VOICES, settings, where))


def build_kokoro(
    settings: Mapping[str, Any],
    settings_where: str,
    parts: Mapping[str, Mapping[str, Tensor]],
    where: str,
    voices: Mapping[str, KokoroVoice],
) -> KokoroCheckpoint:
    """Build a checkpoint from published settings, state dicts and voices; errors name `settings_where` and `where`.

    Raises:
        ModelError: as `import_kokoro`.
    """
    generator = _Table(_of(settings, "istftnet", settings_where), "istftnet.", settings_where)
    block_kernels = generator.wholes("resblock_kernel_sizes")
    try:
        tensors = from_published(parts, len(block_kernels))
    except ModelError as error:
        raise ModelError(error.what, where=where, fix=_AGAIN) from error
    check_finite(tensors, where, _AGAIN)
    config = read_settings(settings, tensors, settings_where)
    symbols = symbol_table(settings.get("vocab"), settings_where)
    check_symbols(symbols, config, settings_where)
    with without_memory():
        model = config.build()
    _check_fit(model.state_dict(), tensors, where)
    model.load_state_dict({name: tensor.contiguous() for name, tensor in tensors.items()}, assign=True)
    return KokoroCheckpoint(model.eval(), symbols, voices, {})


def read_settings(settings: Mapping[str, Any], tensors: Mapping[str, Tensor], where: str) -> KokoroConfig:
    """Our configuration from the settings of `config.json`. Widths that it does not name are those of `tensors`, under
    our names.

    Raises:
        ModelError: naming the setting that is missing or not supported.
    """
    albert = _Table(_of(settings, "plbert", where), "plbert.", where)
    generator = _Table(_of(settings, "istftnet", where), "istftnet.", where)
    top = _Table(settings, "", where)
    for name, value in _ALBERT.items():
        if albert.values.get(name, value) != value:
            raise ModelError(f"plbert.{name} is {albert.values[name]!r}, expected {value!r}", where=where)
    dilations = generator.values.get("resblock_dilation_sizes") or [[]]
    if any(row != dilations[0] for row in dilations):
        raise ModelError(f"istftnet.resblock_dilation_sizes {dilations} are not all the same", where=where)
    try:
        return KokoroConfig(
            symbols=top.whole("n_token"),
            dim=top.whole("hidden_dim"),
            style_dim=top.whole("style_dim"),
            layers=top.whole("n_layer"),
            kernel=top.whole("text_encoder_kernel_size"),
            max_duration=top.whole("max_dur"),
            albert=AlbertConfig(
                embedding=albert.whole("embedding_size", 128),
                dim=albert.whole("hidden_size"),
                heads=albert.whole("num_attention_heads"),
                hidden=albert.whole("intermediate_size"),
                layers=albert.whole("num_hidden_layers"),
                positions=albert.whole("max_position_embeddings"),
            ),
            decoder=StyleDecoderConfig(
                dim=_width(tensors, "decoder.first.conv2.bias"),
                blocks=max(1, sum(bool(_BLOCK.fullmatch(name)) for name in tensors)),
                text_dim=_width(tensors, "decoder.text.bias"),
            ),
            generator=GeneratorConfig(
                channels=generator.whole("upsample_initial_channel"),
                rates=generator.wholes("upsample_rates"),
                kernels=generator.wholes("upsample_kernel_sizes"),
                block_kernels=generator.wholes("resblock_kernel_sizes"),
                dilations=_whole_numbers(dilations[0], "istftnet.resblock_dilation_sizes", where),
                n_fft=generator.whole("gen_istft_n_fft"),
                hop=generator.whole("gen_istft_hop_size"),
            ),
        )
    except ConfigError as error:
        raise ModelError(error.what, where=where, fix=error.fix) from error


def read_voices(folder: Path, settings: Mapping[str, Any], where: str) -> dict[str, KokoroVoice]:
    """Published voices of a folder by name; none if there is no folder.

    Raises:
        FileError: if a file cannot be read.
        ModelError: naming the file, if it is no voice of this model.
    """
    style_dim = _Table(settings, "", where).whole("style_dim")
    found: dict[str, KokoroVoice] = {}
    for path in sorted([*folder.glob("*.pt"), *folder.glob("*.bin")]):
        styles = _read_raw(path, 2 * style_dim) if path.suffix == ".bin" else _read_styles(path)
        check_voice(path.stem, KokoroVoice(styles), style_dim, None, printable(path))
        check_finite({path.stem: styles}, printable(path), _AGAIN)
        if path.stem in found and not torch.equal(found[path.stem].styles, styles):
            raise ModelError("differs from the .bin file of the same name", where=printable(path), fix="Keep one.")
        found[path.stem] = KokoroVoice(styles)
    return found


def _read_styles(path: Path) -> Tensor:
    pack = _load(path)
    if not isinstance(pack, Tensor):
        raise ModelError(f"holds a {type(pack).__name__}, expected a tensor", where=printable(path))
    return (pack.squeeze(1) if pack.dim() == 3 else pack).float().contiguous()


def _read_raw(path: Path, width: int) -> Tensor:
    try:
        numbers = np.fromfile(path, "<f4")
        size = path.stat().st_size
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=printable(path)) from error
    if not size or size % (4 * width):
        what = f"has {size} bytes, expected a multiple of {4 * width}: float32, {width} per style"
        raise ModelError(what, where=printable(path), fix=_AGAIN)
    return torch.from_numpy(numbers.astype(np.float32)).view(-1, width)


def _one_file(directory: Path) -> Path:
    found = sorted(directory.glob("*.pth")) or sorted(directory.glob("*.onnx"))
    if len(found) != 1:
        what = f"holds {', '.join(path.name for path in found[:4])}" if found else "has no *.pth and no *.onnx"
        fix = "Give the folder of one published Kokoro, as the hub has it."
        raise ModelError(f"{what}; expected one file", where=printable(directory), fix=fix)
    return found[0]


def _read_weights(path: Path) -> dict[str, dict[str, Tensor]]:
    parts = _load(path)
    if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
        raise ModelError("holds something else than state dicts by name", where=printable(path))
    for name, part in parts.items():
        if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in part.items()):
            raise ModelError(f"{name} holds something else than tensors by name", where=printable(path))
    return {str(name): dict(part) for name, part in parts.items()}


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=printable(path)) from error
    except (RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"is no file of tensors: {text}", where=printable(path), fix=_AGAIN) from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        fix = "Give the folder of a published Kokoro, as the hub has it."
        raise ModelError("is missing", where=printable(path), fix=fix)
    try:
        record = json.loads(read_text(path))
    except ValueError as error:
        raise ModelError(f"is not JSON: {error}", where=printable(path)) from error
    if not isinstance(record, dict):
        raise ModelError("is no table of settings", where=printable(path))
    return record


def _of(settings: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    found = settings.get(name)
    if not isinstance(found, dict):
        raise ModelError(f"has no table {name}", where=where)
    return found


def _width(tensors: Mapping[str, Tensor], name: str) -> int:
    """Channels of a bias; 1 if it is missing, which is reported with everything else that is."""
    return len(tensors[name]) if name in tensors else 1


def _check_fit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing:
        raise ModelError(f"{len(missing)} tensors are missing: {some(missing)}", where=where, fix=_AGAIN)
    if unknown:
        raise ModelError(f"{len(unknown)} tensors belong to no part of the model: {some(unknown)}", where=where)
    wrong = [
        f"{name} {tuple(found[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in sorted(wanted.items())
        if found[name].shape != tensor.shape
    ]
    if wrong:
        raise ModelError(f"{len(wrong)} tensors have another shape: {some(wrong)}", where=where)
