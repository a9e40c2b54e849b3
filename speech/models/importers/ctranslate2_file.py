"""Reads `model.bin` of CTranslate2: a sequence of named arrays, and aliases."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speech.errors import FileError, ModelError
from speech.files import printable, reason

_OLDEST, _NEWEST = 5, 6
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_BFLOAT16 = 5


class _ByteReader:
    """Sequential reader of a file's bytes."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> memoryview:
        if self._at + count > len(self._data):
            raise ModelError("is cut short", fix="Get the file again.")
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def number(self, form: str) -> int:
        return int(struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0])

    def text(self) -> str:
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode("utf-8", "replace")


def read_ctranslate2(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Read the model kind (such as `WhisperSpec`) and the arrays by name; aliases are extra names of the same array.

    Raises:
        FileError: if the file cannot be read.
        ModelError: if it is not a CTranslate2 file of a supported version, or damaged.
    """
    try:
        data = _ByteReader(memoryview(np.memmap(path, np.uint8, "c")))
    except (OSError, ValueError) as error:
        what = reason(error) if isinstance(error, OSError) else str(error)
        raise FileError(f"cannot be read: {what}", where=printable(path)) from error
    try:
        return _read(data)
    except ModelError as error:
        raise ModelError(error.what, where=printable(path), fix=error.fix) from error


def _read(data: _ByteReader) -> tuple[str, dict[str, Tensor]]:
    version = data.number("I")
    if not _OLDEST <= version <= _NEWEST:
        raise ModelError(f"is no CTranslate2 file of version {_OLDEST} or {_NEWEST}", fix="Convert the model again.")
    kind, _ = data.text(), data.number("I")
    tensors: dict[str, Tensor] = {}
    for _ in range(data.number("I")):
        name = data.text()
        shape = [data.number("I") for _ in range(data.number("B"))]
        tensors[name] = _array(name, shape, data.number("B"), data.take(data.number("I")))
    for _ in range(data.number("I")):
        alias, name = data.text(), data.text()
        if name not in tensors:
            raise ModelError(f"names {name!r}, which it does not hold")
        tensors[alias] = tensors[name]
    return kind, tensors


def _array(name: str, shape: list[int], kind: int, data: memoryview) -> Tensor:
    if kind not in _TYPES and kind != _BFLOAT16:
        raise ModelError(f"{name} is of the unknown type {kind}")
    stored = np.dtype(_TYPES.get(kind, np.int16))
    count = math.prod(shape)
    if count == 0:
        raise ModelError(f"{name} is empty: its shape is {shape}")
    if len(data) != count * stored.itemsize:
        raise ModelError(f"{name} has {len(data)} bytes, expected {count * stored.itemsize} for shape {shape}")
    flat = torch.from_numpy(np.frombuffer(data, stored))
    if kind == _BFLOAT16:
        flat = flat.view(torch.bfloat16)
    return flat.reshape(shape)
