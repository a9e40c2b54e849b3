"""Which frames of an utterance say which of its symbols: read from a safetensors file per part, by utterance id."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from speech.errors import DataError
from speech.files import printable
from speech.tensors import load_tensors

_SLACK = 3
"""Frames by which durations and codes may differ: a codec fills up the last frame, and appends its delay."""


class Alignment(NamedTuple):
    """Durations of an utterance's symbols."""

    frames: Tensor
    """`(symbols,)` float64, not rounded."""
    frame_counts: Tensor
    """`(symbols,)` int64: whole frames, as many as there are codes."""


def read_alignments(path: Path) -> Mapping[str, Tensor]:
    """Durations `(symbols,)` by utterance id: seconds, or if they are integers, frames.

    Raises:
        DataError: if there is no such file, or a tensor has another shape or negative numbers.
        ModelError: if the file is damaged.
    """
    where = printable(path)
    if not path.is_file():
        raise DataError("no such file", where=where, fix="Write the durations of the symbols there.")
    found = load_tensors(path)
    for name, own in found.items():
        if own.dim() != 1 or bool((own < 0).any()):
            raise DataError(f"{name} has shape {tuple(own.shape)}, or negative durations", where=where)
    return found


def aligned_frames(durations: Tensor, symbols: int, codes: int, frame_s: float) -> Alignment:
    """Align the frames of an utterance.

    Args:
        durations: of `read_alignments`, `(symbols,)`.
        symbols: number of symbols of the text.
        codes: number of frames.
        frame_s: seconds per frame.

    Raises:
        DataError: if there are more or fewer durations than symbols, or frames than they sum up to.
    """
    if len(durations) != symbols:
        raise DataError(f"{len(durations)} durations for {symbols} symbols")
    frames = durations.double() / frame_s if durations.is_floating_point() else durations.double()
    ends = (frames.cumsum(0) + 0.5).floor().long()
    said = int(ends[-1]) if symbols else 0
    if not symbols or abs(said - codes) > _SLACK:
        text = f"its symbols last {said} frames, its codes {codes}"
        raise DataError(text, fix="Give durations in seconds as floats, or in frames as integers, without gaps.")
    ends = ends.clamp(max=codes)
    ends[-1] = codes  # what the codec appended belongs to the last symbol
    frames[-1] += max(codes - float(frames.sum()), 0.0)
    return Alignment(frames, ends.diff(prepend=torch.zeros(1, dtype=torch.int64)))
