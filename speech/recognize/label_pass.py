"""The label decoder reads a part once it is complete, and CTC judges: what it hears nothing of is not written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from speech.audio import SAMPLE_RATE
from speech.decode.label.ctc_score import prepare
from speech.decode.label.joint import Candidate, JointConfig, best, posterior, score
from speech.decode.label.joint_language import joint_posterior
from speech.decode.label.mending import mended
from speech.decode.label.phrases import LabelPhrases
from speech.decode.label.search import likeliest, once
from speech.decode.label.timing import Written
from speech.models.base import LabelModel
from speech.recognize.context import Context, context_tokens, following, label_tokens
from speech.recognize.label_candidates import LabelCandidates
from speech.recognize.label_part import Judged, LabelPart
from speech.recognize.label_times import LabelTimes
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.text.tokenizers.bpe import LabelTokenizer

_TAIL_S = 0.2
"""Silence behind a part: the last log-mel frames would otherwise lack their right half."""
_MOST_OTHERS = 2
"""Languages in which a part is read besides the one of most of it."""
_LEAST = 1e-30
"""Probability of a language."""


@dataclass(frozen=True, slots=True)
class JointResult:
    """What both judges make of a part."""

    language: str
    """ISO 639-3, in which it is written, or out of which it is translated."""
    posterior: Mapping[str, float]
    """Of the languages that it may be in."""
    written: Written | None
    """None: CTC's text stands, in a language that the decoder does not know."""


class LabelPass:
    """Writes parts.

    Args:
        model, tokenizer: of the label decoder.
        config: how it and CTC decide.
        shared_layers: from below, that the encoder of CTC has too.
    """

    def __init__(
        self,
        model: LabelModel,
        tokenizer: LabelTokenizer,
        config: JointConfig | None = None,
        *,
        shared_layers: int = 0,
    ) -> None:
        self.model, self.tokenizer, self.shared_layers = model, tokenizer, shared_layers
        self.config = config or JointConfig()
        self.candidates = LabelCandidates(model, tokenizer, self.config)
        self.times = LabelTimes(model, tokenizer)
        prepare()

    def hears(self, samples: np.ndarray, request: Request) -> bool:
        """Whether a part `(n,)` at 16 kHz is for the decoder: a transcript of one that is longer than what it has
        learnt is not."""
        if not request.by_label(self.tokenizer.languages):
            return False
        longest_s = self.model.max_frames * self.model.frame_s - _TAIL_S
        return request.to is not None or len(samples) <= longest_s * SAMPLE_RATE

    @torch.inference_mode()
    def read(
        self,
        part: LabelPart,
        request: Request,
        told: Mapping[str, float],
        judged: Judged,
        before: Context | None = None,
    ) -> JointResult:
        """What a part says, by both judges.

        Args:
            part: from `listen`.
            request: a transcript, or a translation into English.
            told: log-posterior of the languages that CTC knows; empty if it cannot tell them.
            judged: by CTC.
            before: what has been said before a part that is to be a transcript.
        """
        posterior = self.posterior(part, request, told)
        # What the decoder does not know is translated as what it is most like.
        likely = [code for code in posterior if self.knows(code)] if request.to is not None else [*posterior]
        language = max(likely, key=lambda code: posterior[code])
        if self._nobody(part, judged):
            return JointResult(language, posterior, Written(language=language))
        if not self.knows(language):
            return JointResult(language, posterior, None)
        several, translate = request.nbest > 1, request.to is not None
        phrases = None if translate else self.candidates.phrases(request.phrases)
        spoken = tuple(sorted(judged.languages, key=lambda code: -posterior.get(code, 0.0)))
        own = replace(judged, languages=spoken)
        written = self.write(part, language, own, translate=translate, several=several, phrases=phrases, before=before)
        return JointResult(language, posterior, written)

    def posterior(self, part: LabelPart, request: Request, told: Mapping[str, float]) -> Mapping[str, float]:
        """Of the languages asked for, by both judges; see `read`."""
        if len(request.languages) == 1:
            return {request.languages[0]: 1.0}
        config, shares = self.config, part.languages(self.tokenizer)
        heard = {code: math.log(max(share, _LEAST)) for code, share in shares.items()}
        return joint_posterior(
            told,
            heard,
            request.languages,
            weights=(config.ctc_language, config.label_language),
            least=(config.ctc_least, config.label_least),
        )

    def knows(self, code: str) -> bool:
        """Whether the decoder has a token for a language."""
        return code in self.tokenizer.languages

    def listen(self, samples: np.ndarray) -> LabelPart:
        """A part `(n,)` at 16 kHz."""
        whole = len(samples) + round(_TAIL_S * SAMPLE_RATE)
        return LabelPart.listen(self.model, samples, whole, self.shared_layers)

    @torch.inference_mode()
    def write(
        self,
        part: LabelPart,
        language: str,
        judged: Judged,
        *,
        translate: bool = False,
        several: bool = False,
        phrases: LabelPhrases | None = None,
        before: Context | None = None,
    ) -> Written:
        """The transcript of a part, or its translation.

        Args:
            part: from `listen`.
            language: ISO 639-3, one that the decoder knows.
            judged: by CTC.
            translate: into English.
            several: whether other texts are wanted beside a transcript.
            phrases: to prefer in a transcript.
            before: what has been said before a transcript; it counts where it is in the same language.
        """
        if translate:
            prompt = self.tokenizer.prompt(language, translate=True)
            text = self.tokenizer.decode(once(likeliest(self.candidates.found(part, prompt)).tokens)).strip()
            return self.times.translated(part, prompt, text, judged, language)
        weight, prompt = self.weight(language, judged, phrases=phrases is not None), self.tokenizer.prompt(language)
        candidates = self._best(part, language, judged, weight, phrases, before)
        if not candidates or self._made_up(part, candidates[0], judged):
            return self.times.transcribed(part, prompt, "", judged, language)
        texts = [one.text for one in candidates[: None if several else 1]]
        if self.config.weight(language) and phrases is None:
            texts[0] = self._mended(part, candidates[0], language, judged)
        shares = posterior(candidates, weight)
        first, *others = (
            replace(self.times.transcribed(part, prompt, text, judged, language), confidence=share)
            for text, share in zip(texts, shares, strict=False)
        )
        sure = None if candidates[0].by_ctc else self._sure(candidates[0], language)
        return replace(first, others=tuple(others), sure=sure)

    def _best(
        self,
        part: LabelPart,
        language: str,
        judged: Judged,
        weight: float,
        phrases: LabelPhrases | None,
        before: Context | None,
    ) -> list[Candidate]:
        """What may have been said, from likely to unlikely. The decoder is told what was said before, unless that leads
        it astray: no text ends, CTC's own is better, CTC hears little of it, or it may have been copied. Then it reads
        again."""
        if before is not None and before.language == language and self.config.context_tokens:
            tokens = context_tokens(before, self.tokenizer)
            found = best(self.candidates(part, language, judged, phrases=phrases, before=tokens), weight)
            if found and self._trusts(found[0], judged if weight else None, before):
                return found
        return best(self.candidates(part, language, judged, phrases=phrases), weight)

    def _trusts(self, candidate: Candidate, judged: Judged | None, before: Context) -> bool:
        """Whether a text that has been found with what was said before is one that was said; None: CTC has no say."""
        heard = judged is None or self._heard(candidate, judged)
        return heard and not candidate.by_ctc and not before.copied(candidate.text)

    def _sure(self, candidate: Candidate, language: str) -> float:
        """Log-probability of a token, on average."""
        return candidate.label / (len(label_tokens(candidate.text, language, self.tokenizer)) + 1)

    def following(self, part: Part, result: PartResult) -> Context | None:
        """See `PartReader`."""
        most = min(self.config.context_tokens, self.model.max_tokens // 2)
        return following(part.before, result, self.tokenizer, most, self.config.context_sure)

    def _nobody(self, part: LabelPart, judged: Judged) -> bool:
        """Whether nobody speaks: CTC's own text is not clear, and the decoder is sure that there is no speech."""
        text = judged.texts[0]
        each = judged.mean(text, score(judged.log_probs, [judged.spell(text)])[0])
        return each < self.config.unclear and part.no_speech(self.tokenizer) >= self.config.silence

    def _mended(self, part: LabelPart, candidate: Candidate, language: str, judged: Judged) -> str:
        """The text with words as they are written in other languages that are heard, and CTC's where it is unsure."""
        config, text = self.config, candidate.text
        others = [code for code in judged.languages if code != language and self.knows(code) and config.weight(code)]
        for other in others[:_MOST_OTHERS]:
            for found in best(self.candidates(part, other, judged, own=False), config.weight(other))[:1]:
                text = mended(text, found.text, judged.log_probs, judged.spell, config.language_price)
        if self._sure(candidate, language) < config.unsure:
            text = mended(text, judged.texts[0], judged.log_probs, judged.spell, config.heard_price)
        return text

    def _made_up(self, part: LabelPart, candidate: Candidate, judged: Judged) -> bool:
        """Whether nobody has said it: CTC hears little of it, and the decoder hears no speech."""
        return not self._heard(candidate, judged) and part.no_speech(self.tokenizer) >= self.config.no_speech

    def _heard(self, candidate: Candidate, judged: Judged) -> bool:
        """Whether CTC hears it."""
        return judged.mean(candidate.text, candidate.ctc) >= self.config.unheard

    def weight(self, language: str, judged: Judged, *, phrases: bool = False) -> float:
        """What CTC counts for in a language; more where phrases are preferred."""
        adapted = language in judged.adapted and language not in self.config.learnt
        usual = self.config.ctc_weight if adapted else self.config.weight(language)
        return max(usual, self.config.phrase_ctc_weight) if phrases and usual else usual
