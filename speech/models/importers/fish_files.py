"""Files of published Fish-Speech models: pickles, of which only tensors are read, and how tensors are checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from speech.errors import FileError, ModelError
from speech.files import printable, reason

AGAIN = "Get it again from the repository of the model."
_NAMED = 6
"""Tensors that an error names."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a `*.pth` by name; one that training has wrapped in `state_dict` is unwrapped.

    Raises:
        FileError: if it cannot be read.
        ModelError: if it holds something else.
    """
    where = printable(path)
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=where) from error
    except (RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"is no file of tensors: {text}", where=where, fix=AGAIN) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
        raise ModelError("holds something else than tensors by name", where=where, fix=AGAIN)
    return dict(found)


def check_names(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, Tensor], where: str) -> None:
    """Refuse tensors that are missing, unknown or of another shape.

    Args:
        wanted: published name -> shape.
        found: tensors by published name.
        where: file, for errors.

    Raises:
        ModelError: naming them.
    """
    missing, unknown = [k for k in wanted if k not in found], [k for k in found if k not in wanted]
    if missing:
        raise ModelError(f"{len(missing)} tensors are missing: {_some(missing)}", where=where, fix=AGAIN)
    if unknown:
        what = f"{len(unknown)} tensors belong to no part of the model: {_some(unknown)}"
        raise ModelError(what, where=where, fix="Give a published Fish-Speech 1.4 or 1.5, without adapters.")
    wrong = [f"{k} {tuple(found[k].shape)}, expected {shape}" for k, shape in wanted.items() if found[k].shape != shape]
    if wrong:
        raise ModelError(f"{len(wrong)} tensors have another shape: {_some(wrong)}", where=where)


def _some(names: list[str]) -> str:
    """The first few of many names, in alphabetical order."""
    return ", ".join(sorted(names)[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
