"""Encoded audio: frames on the model's device, with language evidence on the host."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from speech.decode.ctc.frames import CtcFrames
from speech.decode.words.language_id import FIRST_FRAMES, first_token_posterior
from speech.models.base import CtcModel, Encoded
from speech.recognize.adapter_tokens import Extension
from speech.recognize.host import to_host
from speech.recognize.request import Request

_LEAST = -50.0
"""Floor for log-posteriors of languages, so that no single one dominates."""


class EncodedBatch(NamedTuple):
    """Encoded audio of a batch, with log-posteriors of languages."""

    x: Tensor
    """Encoder output `(batch, T, dim)` without prefix frames."""
    frames: tuple[int, ...]
    """Number of frames per row."""
    evidence: Tensor | None
    """Log-posteriors `(batch, T, languages)` on the host, if the model identifies languages."""
    extensions: tuple[Extension | None, ...] = ()
    """Adapter tokens of each row."""

    def select(self, row: int) -> tuple[Tensor, Tensor | None]:
        """Frames and evidence of one row, without padding."""
        count = self.frames[row]
        return self.x[row, :count], None if self.evidence is None else self.evidence[row, :count]

    def part(self, row: int, request: Request) -> EncodedPart:
        """One row with its request."""
        return EncodedPart(*self.select(row), request, self.extensions[row])


class EncodedPart(NamedTuple):
    """Encoded frames to decode, with their request."""

    x: Tensor
    """Encoder output `(T, dim)`."""
    evidence: Tensor | None
    """Log-posteriors of languages `(T, languages)`."""
    request: Request
    extension: Extension | None

    def between(self, first: int, last: int) -> EncodedPart:
        """The frames from `first` up to `last`, exclusive."""
        evidence = None if self.evidence is None else self.evidence[first:last]
        return self._replace(x=self.x[first:last], evidence=evidence)


def batch_of(model: CtcModel, encoded: Encoded, prefix: Tensor) -> EncodedBatch:
    """Build a batch from a model's output after `prefix`: drop the prefix frames and compute the language evidence."""
    x, counts, _, logits = encoded
    front = prefix.shape[1] if model.writes_prefix else 0
    if logits is not None:
        told = [torch.log_softmax(logits, dim=-1)]
    elif model.writes_prefix:
        first = CtcFrames(model.ctc(x[:, :FIRST_FRAMES]), counts, model.frame_s)
        told = [first_token_posterior(first, model.vocabulary.language_ids).log().clamp(min=_LEAST)]
    else:
        told = []
    lengths, *heard = to_host([counts - front, *told])
    evidence = heard[0] if heard else None
    if evidence is not None and logits is None:
        evidence = evidence[:, None].expand(-1, x.shape[1] - front, -1)
    return EncodedBatch(x[:, front:], tuple(lengths.tolist()), evidence)
