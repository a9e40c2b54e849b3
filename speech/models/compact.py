"""Weights in about four bits each: coarse steps that follow the size of each row, and entropy coding.

A row (first dimension, the rest flattened) has a step of .3 or so times its root mean square; a weight is the number of
steps nearest to it. Most of these numbers are small and the same, so that a Huffman code of them takes 3.8 bits a
weight where weights are normally distributed.
"""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor

from speech.errors import ModelError

STEP = 0.3
"""Step of a row in units of its root mean square, if nothing else is said."""
LEAST = 2048
"""Matrices with fewer numbers are float16: a table of code lengths would be a good part of them."""
SCALE = ".scale"
SHAPE = ".shape"
_MOST_CODE = 127
_MOST_DIMS = 8
_BITS = 8
_FIX = "Copy or download it again."


def compacted(value: Tensor, step_size: float = STEP) -> dict[str, Tensor]:
    """A tensor as it is written: suffix of its name -> part.

    Args:
        value: float32, of any shape.
        step_size: step of a row in units of its root mean square.

    Returns:
        Of a matrix, or a tensor with more dimensions, with `LEAST` numbers or more: under the name itself the deflated
        codes `(bytes,)` uint8, under `SCALE` the steps `(rows,)` float16, under `SHAPE` its shape `(dims,)` int64. Of
        another tensor: itself, in float16 if that keeps it. A row too large for float16 has an infinite step.
    """
    if value.dim() < 2 or value.numel() < LEAST:
        return {"": _in_float16(value)}
    rows = value.flatten(1)
    step = torch.maximum(rows.square().mean(dim=1).sqrt() * step_size, rows.abs().amax(dim=1) / _MOST_CODE)
    step = step.clamp(min=torch.finfo(torch.float16).smallest_normal).half()
    codes = torch.round(rows / step.float()[:, None]).clamp(-_MOST_CODE, _MOST_CODE).to(torch.int8)
    deflate = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    deflated = bytearray(deflate.compress(codes.numpy().tobytes()) + deflate.flush())
    return {
        "": torch.frombuffer(deflated, dtype=torch.uint8),
        SCALE: step,
        SHAPE: torch.tensor(value.shape, dtype=torch.int64),
    }


def expanded(deflated: Tensor, scale: Tensor, shape: Tensor, name: str, where: str) -> Tensor:
    """The float32 tensor of which `compacted` made three parts.

    A code takes a bit or more, which bounds what a file can expand to.

    Args:
        deflated: `(bytes,)` uint8.
        scale: steps `(rows,)` float16.
        shape: `(dims,)` int64.
        name: of the tensor, in errors.
        where: file, in errors.

    Raises:
        ModelError: if the parts do not fit each other, or the codes are damaged.
    """
    if deflated.dtype != torch.uint8 or deflated.dim() != 1:
        raise ModelError(f"{name} has a {SHAPE}, but is no row of bytes", where=where, fix=_FIX)
    if shape.dtype != torch.int64 or shape.dim() != 1 or not 2 <= len(shape) <= _MOST_DIMS:
        raise ModelError(f"{name}{SHAPE} is no shape", where=where, fix=_FIX)
    sizes = [int(size) for size in shape]
    count = math.prod(sizes)
    if min(sizes) < 1 or count > len(deflated) * _BITS:
        raise ModelError(f"{name}{SHAPE} is {sizes}, which {len(deflated)} bytes cannot hold", where=where, fix=_FIX)
    if scale.dtype != torch.float16 or scale.shape != (sizes[0],):
        raise ModelError(f"{name}{SCALE} does not fit", where=where, fix=_FIX)
    codes = torch.frombuffer(bytearray(_inflated(deflated, count, name, where)), dtype=torch.int8)
    return (codes.view(sizes[0], -1).float() * scale.float()[:, None]).view(sizes)


def _inflated(deflated: Tensor, count: int, name: str, where: str) -> bytes:
    """The codes, a byte each; never more than one beyond `count` are unpacked."""
    inflate = zlib.decompressobj()
    try:
        codes = inflate.decompress(deflated.numpy().tobytes(), count + 1)
    except zlib.error as error:
        raise ModelError(f"{name} is damaged: {error}", where=where, fix=_FIX) from error
    if len(codes) != count:
        amount = "more" if len(codes) > count else f"{len(codes)}"
        raise ModelError(f"{name} is damaged: {amount} numbers, expected {count}", where=where, fix=_FIX)
    if not inflate.eof or inflate.unused_data:
        end = "is followed by more" if inflate.eof else "is missing"
        raise ModelError(f"{name} is damaged: its end {end}", where=where, fix=_FIX)
    return codes


def _in_float16(value: Tensor) -> Tensor:
    """Float16 if no number is off by more than the largest one may be rounded, otherwise float32 as it was."""
    half = value.half()
    if not value.numel() or (half.float() - value).abs().max() <= value.abs().max() * 2**-11:
        return half
    return value.contiguous().clone()
