"""Reads complete parts with the label decoder, scored jointly with CTC; hallucinated text is dropped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from speech.audio import SAMPLE_RATE
from speech.decode.label.combination import combine
from speech.decode.label.ctc_score import prepare
from speech.decode.label.joint import Candidate, JointConfig, best, posterior, score
from speech.decode.label.joint_language import joint_posterior
from speech.decode.label.phrases import LabelPhrases
from speech.decode.label.timing import TimedText
from speech.models.base import LabelModel
from speech.recognize.context import Context, context_tokens, following, label_tokens
from speech.recognize.draft_decoder import DraftDecoder
from speech.recognize.label_candidates import LabelCandidates
from speech.recognize.label_part import TAIL_S, Judged, LabelPart
from speech.recognize.label_times import LabelTimes
from speech.recognize.parts import Part
from speech.recognize.request import LabelLanguages, Request
from speech.recognize.result import PartResult
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.translate.policy import TranslationDraft

_MOST_OTHERS = 2
"""Maximum further languages in which a part is decoded, besides its main one."""
_LEAST = 1e-30
"""Floor for language probabilities."""


@dataclass(frozen=True, slots=True)
class JointResult:
    """Joint result of label decoder and CTC for a part."""

    language: str
    """ISO 639-3 code of the transcript, or source language of the translation."""
    posterior: Mapping[str, float]
    """Posterior over the possible languages."""
    written: TimedText | None
    """The text; None: CTC's text is used, since the decoder does not know the language."""
    draft: TranslationDraft | None = None
    """Continuation of a translation, in place of the text."""


class LabelPass:
    """Decodes parts with label decoder and CTC.

    Args:
        model, tokenizer: of the label decoder.
        config: weights of label decoder and CTC.
        shared_layers: number of lowest encoder layers shared with CTC.
        guard: against toxicity that translations add.
    """

    def __init__(
        self,
        model: LabelModel,
        tokenizer: LabelTokenizer,
        config: JointConfig | None = None,
        *,
        shared_layers: int = 0,
        guard: ToxicityGuard | None = None,
    ) -> None:
        self.model, self.tokenizer, self.shared_layers = model, tokenizer, shared_layers
        self.languages = LabelLanguages(tuple(tokenizer.languages), tokenizer.targets)
        self.config = config or JointConfig()
        self.candidates = LabelCandidates(model, tokenizer, self.config, guard)
        self.times = LabelTimes(model, tokenizer)
        self.drafts = DraftDecoder(model, tokenizer, self.config.beam, guard)
        prepare()

    def hears(self, samples: np.ndarray, request: Request) -> bool:
        """Whether the decoder reads a part `(n,)` at 16 kHz; transcripts of parts longer than its training window are
        left to CTC."""
        if not request.by_label(self.languages):
            return False
        longest_s = self.model.max_frames * self.model.frame_s - TAIL_S
        return request.to is not None or len(samples) <= longest_s * SAMPLE_RATE

    @torch.inference_mode()
    def read(
        self,
        part: LabelPart,
        request: Request,
        told: Mapping[str, float],
        judged: Judged,
        before: Context | None = None,
        translated: Sequence[int] = (),
    ) -> JointResult:
        """Decode a part with label decoder and CTC.

        Args:
            part: from `listen`.
            request: a transcript, or a translation.
            told: log-posterior of CTC's languages; empty if CTC does not identify languages.
            judged: CTC's scores.
            before: context, used for transcripts only.
            translated: tokens that a translation continues; transcripts do not use them.
        """
        posterior = self.posterior(part, request, told)
        language = self.language(posterior, request)
        if self._nobody(part, judged):
            return JointResult(language, posterior, TimedText(language=language))
        if not self.knows(language):
            return JointResult(language, posterior, None)
        if translated and request.to is not None:
            heard = self.candidates.heard(language, judged)
            draft = self.drafts.draft(part, language, request.to, translated, complete=True, heard=heard)
            return JointResult(language, posterior, TimedText(language=language), draft)
        several, target = request.nbest > 1, request.to
        phrases = self.candidates.phrases(request.phrases) if target is None else None
        own = replace(judged, languages=tuple(sorted(judged.languages, key=lambda code: -posterior.get(code, 0.0))))
        written = self.write(part, language, own, target=target, several=several, phrases=phrases, before=before)
        return JointResult(language, posterior, written)

    def language(self, posterior: Mapping[str, float], request: Request) -> str:
        """The likeliest language; speech in one that the decoder does not know is translated as the likeliest known."""
        likely = [code for code in posterior if self.knows(code)] if request.to is not None else [*posterior]
        return max(likely, key=lambda code: posterior[code])

    def posterior(self, part: LabelPart, request: Request, told: Mapping[str, float]) -> Mapping[str, float]:
        """Posterior over the requested languages, combined from label decoder and CTC; see `read`."""
        if len(request.languages) == 1:
            return {request.languages[0]: 1.0}
        config, shares = self.config, part.languages(self.tokenizer)
        heard = {code: math.log(max(share, _LEAST)) for code, share in shares.items()}
        weights, least = (config.ctc_language, config.label_language), (config.ctc_least, config.label_least)
        return joint_posterior(told, heard, request.languages, weights=weights, least=least)

    def knows(self, code: str) -> bool:
        """Whether the decoder has a token for a language."""
        return code in self.tokenizer.languages

    def listen(self, samples: np.ndarray) -> LabelPart:
        """Encode a part `(n,)` at 16 kHz."""
        whole = len(samples) + round(TAIL_S * SAMPLE_RATE)
        return LabelPart.listen(self.model, samples, whole, self.shared_layers)

    @torch.inference_mode()
    def write(
        self,
        part: LabelPart,
        language: str,
        judged: Judged,
        *,
        target: str | None = None,
        several: bool = False,
        phrases: LabelPhrases | None = None,
        before: Context | None = None,
    ) -> TimedText:
        """Write the transcript of a part, or its translation.

        Args:
            part: from `listen`.
            language: ISO 639-3 code; the decoder must know it.
            judged: CTC's scores.
            target: ISO 639-3 code of a translation; None: a transcript.
            several: return alternatives of a transcript too.
            phrases: phrases to bias a transcript towards.
            before: context of a transcript; ignored if its language differs.
        """
        if target is not None:
            prompt = self.tokenizer.prompt(language, target=target)
            text, toxicity = self.candidates.translation(part, language, target, judged)
            return replace(self.times.translated(part, prompt, text, judged, (language, target)), toxicity=toxicity)
        weight, prompt = self.weight(language, judged, phrases=phrases is not None), self.tokenizer.prompt(language)
        candidates = self._best(part, language, judged, weight, phrases, before)
        if not candidates or self._made_up(part, candidates[0], judged):
            return self.times.transcribed(part, prompt, "", judged, language)
        texts = [one.text for one in candidates[: None if several else 1]]
        if self.config.weight(language) and phrases is None:
            texts[0] = self._combined(part, candidates[0], language, judged)
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
        """Candidates from likely to unlikely. The decoder first runs with context. It runs again without if the context
        misleads it: no text ends, CTC's own text wins, CTC hardly supports the text, or it may be copied."""
        if before is not None and before.language == language and self.config.context_tokens:
            tokens = context_tokens(before, self.tokenizer)
            found = best(self.candidates(part, language, judged, phrases=phrases, before=tokens), weight)
            if found and self._trusts(found[0], judged if weight else None, before):
                return found
        return best(self.candidates(part, language, judged, phrases=phrases), weight)

    def _trusts(self, candidate: Candidate, judged: Judged | None, before: Context) -> bool:
        """Whether to accept the best text found with context; `judged` None: CTC is not asked."""
        heard = judged is None or self._heard(candidate, judged)
        return heard and not candidate.by_ctc and not before.copied(candidate.text)

    def _sure(self, candidate: Candidate, language: str) -> float:
        """Average log-probability per token."""
        return candidate.label / (len(label_tokens(candidate.text, language, self.tokenizer)) + 1)

    def following(self, part: Part, result: PartResult) -> Context | None:
        """See `PartReader`."""
        most = min(self.config.context_tokens, self.model.max_tokens // 2)
        return following(part.before, result, self.tokenizer, most, self.config.context_sure)

    def _nobody(self, part: LabelPart, judged: Judged) -> bool:
        """Whether the part is silent: CTC's best text is unclear, and the decoder is sure of no speech."""
        text = judged.texts[0]
        each = judged.mean(text, score(judged.log_probs, [judged.spell(text)])[0])
        return each < self.config.unclear and part.no_speech(self.tokenizer) >= self.config.silence

    def _combined(self, part: LabelPart, candidate: Candidate, language: str, judged: Judged) -> str:
        """Correct the text: words of other languages as decoded in them, and CTC's words where the decoder is
        unsure."""
        config, text = self.config, candidate.text
        others = [code for code in judged.languages if code != language and self.knows(code) and config.weight(code)]
        for other in others[:_MOST_OTHERS]:
            for found in best(self.candidates(part, other, judged, own=False), config.weight(other))[:1]:
                text = combine(text, found.text, judged.log_probs, judged.spell, config.language_price)
        if self._sure(candidate, language) < config.unsure:
            text = combine(text, judged.texts[0], judged.log_probs, judged.spell, config.heard_price)
        return text

    def _made_up(self, part: LabelPart, candidate: Candidate, judged: Judged) -> bool:
        """Whether the text is hallucinated: CTC hardly supports it, and the decoder detects no speech."""
        return not self._heard(candidate, judged) and part.no_speech(self.tokenizer) >= self.config.no_speech

    def _heard(self, candidate: Candidate, judged: Judged) -> bool:
        """Whether CTC supports the text."""
        return judged.mean(candidate.text, candidate.ctc) >= self.config.unheard

    def weight(self, language: str, judged: Judged, *, phrases: bool = False) -> float:
        """Weight of CTC for a language; higher if phrases are used."""
        adapted = language in judged.adapted and language not in self.config.learnt
        usual = self.config.ctc_weight if adapted else self.config.weight(language)
        return max(usual, self.config.phrase_ctc_weight) if phrases and usual else usual
