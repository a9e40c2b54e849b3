"""Joins the parts of a file into a transcript."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from speech.recognize.alternatives import readings, together
from speech.recognize.part_reader import PartReader
from speech.recognize.request import Request
from speech.recognize.result import PartResult, spoken_in, toxicity_of
from speech.transcript import UNDETERMINED, Transcript, join


def transcript_of(reader: PartReader, parts: Sequence[PartResult], request: Request) -> Transcript:
    """Build the transcript of a file from its parts, of which there is at least one.

    Args:
        reader: the reader of the parts.
        parts: results in order.
        request: the request.

    Raises:
        LanguageError: if no language is named and the model does not identify languages.
    """
    words = [word for part in parts for word in reader.words(part, request)]
    language, probability = _language(reader, parts, request, spoke=bool(words))
    asked = parts if request.nbest > 1 else ()
    several = [readings(part, lambda one: reader.words(one, request)) for part in asked]
    return Transcript(
        text=join(words),
        language=language,
        language_probability=probability,
        task="asr" if request.to is None else f"st_{request.to}",
        duration_s=parts[-1].end_s,
        words=tuple(words),
        alternatives=together(several, request.nbest),
        toxicity=toxicity_of(parts),
    )


def _language(
    reader: PartReader, parts: Sequence[PartResult], request: Request, *, spoke: bool
) -> tuple[str, float | None]:
    """Language of the file and its probability; undetermined if nothing is said and no language is named."""
    named = len(request.languages) == 1
    if not spoke and not named:
        return UNDETERMINED, None
    told = None if named else spoken_in(parts)
    if told is not None:
        return told
    evidence = [part.evidence for part in parts if part.evidence is not None]
    total = torch.stack(evidence).sum(dim=0) if evidence else None
    return reader.language(total, sum(part.frames for part in parts), request)
