"""What a part says, before its words are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.timing import WrittenWord
from speech.decode.words.labels import TokenEvidence
from speech.decode.words.words import Draft


@dataclass(frozen=True, slots=True)
class PartResult:
    """What one part says."""

    spans: list[TokenSpan]
    """Tokens; frames count from the beginning of the stream."""
    evidence: Tensor | None
    """(languages,) sum of the frames' log-posteriors, if the model has a language head."""
    frames: int
    """That the part answers for."""
    end_s: float
    """Where the part ends in the stream."""
    told: TokenEvidence | None = None
    """Of each token's language, if the model has a language head."""
    written: tuple[WrittenWord, ...] | None = None
    """Words of the spans, where a label decoder has written them; None: CTC's tokens are the text."""
    language: str | None = None
    """ISO 639-3 of the speech, or what it is taken for, where a label decoder has a say."""
    posterior: Mapping[str, float] | None = None
    """Of the languages that it may be in, by both judges, where a label decoder has a say."""
    confidence: float = 1.0
    """Posterior of the text among those that were found."""
    others: tuple[PartResult, ...] = ()
    """Less likely texts of the same part, where several are asked for."""
    sure: float | None = None
    """Log-probability of a token by a label decoder that has written it, on average, if it is known."""

    @property
    def drafts(self) -> list[Draft]:
        """Words that a label decoder has written."""
        spans = self.spans
        return [
            Draft(w.first, w.last, spans[w.first].start_frame, spans[w.last].end_frame, w.text)
            for w in self.written or ()
        ]


def spoken_in(parts: Sequence[PartResult]) -> tuple[str, float] | None:
    """The language of most of what is said, and the share of the speech that is expected to be in it; None where no
    label decoder has a say."""
    shares = Counter[str]()
    frames = 0
    for part in parts:
        if part.spans and part.posterior is not None:
            frames += part.frames
            shares.update({code: part.frames * share for code, share in part.posterior.items()})
    if not frames:
        return None
    code = max(shares, key=lambda code: shares[code])
    return code, shares[code] / frames
