"""Safetensors files: all numbers are checked to be finite, and files are written atomically."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from speech.errors import ModelError
from speech.files import printable, replacing

_SYSTEM = re.compile(r"os error (\d+)")


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first floating-point tensor with a NaN or an infinity, or None.

    Minimum and maximum reveal it in one pass without extra memory.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel():
            smallest, largest = torch.aminmax(tensor.detach())
            if not bool(torch.isfinite(smallest) & torch.isfinite(largest)):
                return name
    return None


def check_finite(tensors: Mapping[str, Tensor], where: str, fix: str | None = None) -> None:
    """Refuse NaN and infinity, which would make every result NaN.

    Raises:
        ModelError: naming the first tensor that holds such a number.
    """
    name = not_finite(tensors)
    if name is not None:
        raise ModelError(f"{name} holds numbers that are not finite", where=where, fix=fix)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        ModelError: if it cannot be read, is damaged, or holds numbers that are not finite.
    """
    where = printable(path)
    try:
        tensors = load_file(path)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}", where=where) from error
    except SafetensorError as error:
        raise ModelError(f"is damaged: {error}", where=where, fix="Copy or download it again.") from error
    check_finite(tensors, where, "It comes from a training that went wrong: take an earlier one.")
    return tensors


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file.

    Args:
        path: replaced if it exists.
        tensors: on any device and in any memory layout.
        metadata: stored in the file's header.

    Raises:
        FileError: if the system refuses.
        ModelError: if a number is not finite.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    check_finite(plain, printable(path), "It has not been written.")
    with replacing(path) as temporary:
        try:
            save_file(plain, temporary, metadata=dict(metadata) if metadata is not None else None)
        except SafetensorError as error:
            raise _system_error(error) from error


def _system_error(error: SafetensorError) -> Exception:
    """Recover the OSError that safetensors reports as text; return other errors unchanged."""
    found = _SYSTEM.search(str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else error
