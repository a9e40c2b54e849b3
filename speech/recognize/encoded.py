"""Encoded audio: frames on the model's device, and what is known of them on the host."""

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
"""Of a language's log-posterior, which is not to weigh without end."""


class EncodedBatch(NamedTuple):
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

    def part(self, row: int, request: Request) -> EncodedPart:
        """One, as a request asks for it."""
        return EncodedPart(*self.select(row), request, self.extensions[row])


class EncodedPart(NamedTuple):
    """Frames that are to be written down, as a request asks for it."""

    x: Tensor
    """(T, dim)"""
    evidence: Tensor | None
    """(T, languages)"""
    request: Request
    extension: Extension | None

    def between(self, first: int, last: int) -> EncodedPart:
        """Frames `first .. last` of it."""
        evidence = None if self.evidence is None else self.evidence[first:last]
        return self._replace(x=self.x[first:last], evidence=evidence)


def batch_of(model: CtcModel, encoded: Encoded, prefix: Tensor) -> EncodedBatch:
    """What a model has encoded behind `prefix`, whose frames are left out, and what it says of languages."""
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
