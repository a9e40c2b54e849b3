"""Reads a whole file window by window into one result; keeps tokens, not frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.words.labels import TokenEvidence
from speech.models.base import CtcModel
from speech.recognize.part_decoder import PartDecoder
from speech.recognize.part_encoder import PartEncoder
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.windows import SharedConvolutions, Window, append_window


def read_windows(
    windows: Iterable[Window],
    request: Request,
    model: CtcModel,
    encoder: PartEncoder,
    decoder: PartDecoder,
    nothing: Tensor | None,
) -> PartResult:
    """Decode all windows of a file with CTC; a token that spans a seam is emitted once.

    Args:
        windows: in order.
        request: for all windows; CTC writes the text even if there is a label decoder.
        model: its convolutions are shared between windows.
        encoder, decoder: of the model.
        nothing: initial evidence `(languages,)`, all zeros; None if the model does not identify languages.
    """
    request = replace(request, quick=True)
    spans: list[TokenSpan] = []
    told: list[TokenEvidence] = []
    total, done, end_s = nothing, 0, 0.0
    convolutions = SharedConvolutions(model)
    for window in windows:
        heard = convolutions.frames(window)
        lengths = torch.tensor([heard.shape[1]], device=heard.device)
        batch = encoder.encode_features(heard, lengths, [request], subsampled=True)
        part = batch.part(0, request).between(window.first, window.first + window.count)
        found = decoder.spans([part])[0]
        seam = len(spans)
        append_window(spans, found, done)
        if part.evidence is not None and total is not None:
            total += part.evidence.sum(dim=0)
            told.append(TokenEvidence.of(found[len(found) - (len(spans) - seam) :], part.evidence))
        done, end_s = done + window.count, window.end_sample / SAMPLE_RATE
    says = [decoder.says(span) for span in spans]
    kept = TokenEvidence.joined(told).select(says) if told else None
    return PartResult([span for span, own in zip(spans, says, strict=True) if own], total, done, end_s, kept)
