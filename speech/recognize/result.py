"""The result of a part, before it is converted to words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.timing import WrittenWord
from speech.decode.words.labels import TokenEvidence
from speech.decode.words.words import WordDraft
from speech.transcript import Toxicity, joined_toxicity
from speech.translate.policy import TranslationDraft


@dataclass(frozen=True, slots=True)
class PartResult:
    """Result of one part."""

    spans: list[TokenSpan]
    """Tokens; frames are counted from the start of the stream."""
    evidence: Tensor | None
    """Sum of the frames' log-posteriors of languages `(languages,)`, if the model identifies languages."""
    frames: int
    """Number of the part's own frames."""
    end_s: float
    """End of the part in the stream, in seconds."""
    told: TokenEvidence | None = None
    """Language evidence per token, if the model identifies languages."""
    written: tuple[WrittenWord, ...] | None = None
    """Words of the spans, if a label decoder wrote them; None: CTC's tokens are the text."""
    language: str | None = None
    """ISO 639-3 code of the speech, as identified or assumed; set if a label decoder takes part."""
    posterior: Mapping[str, float] | None = None
    """Joint posterior of languages by CTC and label decoder; set if a label decoder takes part."""
    confidence: float = 1.0
    """Posterior of the text among the texts found."""
    others: tuple[PartResult, ...] = ()
    """Alternatives from likely to unlikely, if n-best texts are requested."""
    sure: float | None = None
    """Average token log-probability by the label decoder, if it wrote the text."""
    draft: TranslationDraft | None = None
    """Continuation of `Part.translated`, if there is any or a draft was requested; None: nothing to write."""
    toxicity: Toxicity | None = None
    """Toxicity that the translation added before it was guarded."""

    @property
    def drafts(self) -> list[WordDraft]:
        """Words written by the label decoder."""
        spans = self.spans
        return [
            WordDraft(w.first, w.last, spans[w.first].start_frame, spans[w.last].end_frame, w.text)
            for w in self.written or ()
        ]


def toxicity_of(parts: Sequence[PartResult]) -> Toxicity | None:
    """The toxicity of all parts together; None if there is none."""
    return joined_toxicity(part.toxicity for part in parts)


def spoken_in(parts: Sequence[PartResult]) -> tuple[str, float] | None:
    """The main language of the parts, and its expected share of the speech; None if no label decoder takes part."""
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
