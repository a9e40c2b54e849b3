"""Voices of Kokoro: packs of styles, one for each number of symbols; their files and mixtures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from speech.errors import ConfigError, ModelError
from speech.files import printable
from speech.tensors import load_tensors, save_tensors

VOICES = "voices"
"""Folder in a checkpoint: a file per voice."""
STYLES = "styles"
"""Name of the tensor in a voice's file."""
_NAME = re.compile(r"\w[\w-]*")


def style_of(pack: Tensor, symbols: int) -> Tensor:
    """Style `(2 * style_dim,)` of a text by its number of symbols, those at the edges not counted; a text that is
    longer than the pack `(rows, 2 * style_dim)` gets the last one.

    Raises:
        ConfigError: if there are no symbols.
    """
    if symbols < 1:
        raise ConfigError(
            f"{symbols} symbols, expected at least 1", fix="Give a text with symbols that the model knows."
        )
    return pack[min(symbols, len(pack)) - 1]


def blend(packs: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Mix voices: the weighted mean of their packs `(rows, 2 * style_dim)`; the last row of a shorter pack stands for
    those that it lacks.

    Args:
        packs: voices by name.
        weights: names of voices -> weight; their sum is scaled to 1.

    Raises:
        ConfigError: naming a voice that does not exist, or weights that are not positive.
    """
    unknown = [name for name in weights if name not in packs]
    if unknown:
        raise ConfigError(f"no voice {unknown[0]!r}", fix=f"There are {', '.join(sorted(packs)) or 'none'}.")
    if not weights or not all(0 < weight < float("inf") for weight in weights.values()):
        raise ConfigError(f"weights {dict(weights)}", fix="Give one voice or more, each with a weight above 0.")
    total = sum(weights.values())
    rows = max(len(packs[name]) for name in weights)
    long = {name: torch.cat([packs[name], packs[name][-1:].expand(rows - len(packs[name]), -1)]) for name in weights}
    return torch.stack([long[name] * (weight / total) for name, weight in weights.items()]).sum(dim=0)


def check_voice(name: str, pack: Tensor, style_dim: int, where: str) -> None:
    """Refuse a voice that does not fit a model.

    Raises:
        ModelError: if the name is not made of letters, digits, `_` and `-`, or the pack is not
            `(rows, 2 * style_dim)`.
    """
    if not _NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no name of a voice", where=where, fix="Use letters, digits, _ and -.")
    if pack.dim() != 2 or not len(pack) or pack.shape[1] != 2 * style_dim:
        raise ModelError(f"has shape {tuple(pack.shape)}, expected (rows, {2 * style_dim})", where=where)


def save_voices(folder: Path, packs: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> None:
    """Write a file per voice to a folder, which is created, in a number format.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a number is not finite, or too large for `dtype`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, pack in packs.items():
        save_tensors(folder / f"{name}.safetensors", {STYLES: pack.to(dtype)}, {"format": "pt"})


def load_voices(folder: Path, style_dim: int) -> dict[str, Tensor]:
    """Load all voices of a folder by name, in alphabetical order; none if there is no folder.

    Raises:
        ModelError: naming the file, if it is damaged or does not fit the model.
    """
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        where, tensors = printable(path), load_tensors(path)
        if set(tensors) != {STYLES}:
            raise ModelError(f"holds {_names(tensors)}, expected {STYLES}", where=where)
        pack = tensors[STYLES].float()
        check_voice(path.stem, pack, style_dim, where)
        found[path.stem] = pack
    return found


def _names(tensors: Mapping[str, Tensor]) -> str:
    names: Sequence[str] = sorted(tensors)
    return ", ".join(names[:4]) or "nothing"
