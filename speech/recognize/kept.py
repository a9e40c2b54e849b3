"""Limits a part's result to its own frames: beyond a cut within speech, the audio belongs to the neighbouring part."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.timing import TimedText
from speech.decode.words.labels import TokenEvidence
from speech.recognize.parts import Part
from speech.recognize.result import PartResult


def kept(
    part: Part,
    grid: int,
    frames: int,
    spans: Sequence[TokenSpan],
    evidence: Tensor | None = None,
    written: TimedText | None = None,
) -> PartResult:
    """Build the result for a part's own frames; frames of the result count from the start of the stream.

    Args:
        part: the part.
        grid: samples per frame.
        frames: number of frames decoded.
        spans: CTC tokens on those frames. A token belongs to the part that contains its first frame.
        evidence: log-posteriors of languages `(frames, languages)`, if the model identifies languages.
        written: text of the label decoder; it replaces CTC's tokens.
    """
    first, last = part.span(grid, frames)
    own, words, sure = [span for span in spans if first <= span.start_frame < last], None, None
    toxicity = None if written is None else written.toxicity
    if written is not None:
        written = written.within(first, last, rested=part.rested)
        own, words, sure = [*written.spans], written.words, written.sure
    shift = part.start // grid
    shifted = [TokenSpan(span.id, span.start_frame + shift, span.end_frame + shift, span.confidence) for span in own]
    total = None if evidence is None else evidence[first:last].sum(dim=0)
    told = None if evidence is None else TokenEvidence.of(own, evidence)
    end_s = part.end_sample / SAMPLE_RATE
    return PartResult(shifted, total, last - first, end_s, told, words, sure=sure, toxicity=toxicity)
