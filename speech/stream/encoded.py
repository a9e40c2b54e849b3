"""Encoded audio: frames on the model's device, and what is known of them on the host."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from speech.stream.new_tokens import Extension


class Batch(NamedTuple):
    """Encoded audio, and log-posteriors of languages."""

    x: Tensor
    """(batch, T, dim); prefix frames are left out."""
    frames: tuple[int, ...]
    """Of each."""
    evidence: Tensor | None
    """(batch, T, languages) on the host, if the model tells them."""
    extensions: tuple[Extension | None, ...] = ()
    """What the adapters of each add to what can be written."""

    def select(self, row: int) -> tuple[Tensor, Tensor | None]:
        """Frames and evidence of one, without padding."""
        count = self.frames[row]
        return self.x[row, :count], None if self.evidence is None else self.evidence[row, :count]


class Part[R](NamedTuple):
    """Frames that are to be written down, as a request `R` asks for it."""

    x: Tensor
    """(T, dim)"""
    evidence: Tensor | None
    """(T, languages)"""
    request: R
    extension: Extension | None
