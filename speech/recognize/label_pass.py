"""The label decoder reads a part once it is complete, and CTC judges: what it hears nothing of is not written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import torch

from speech.audio.input.files import SAMPLE_RATE
from speech.decode.bias.phrases import Phrase, canonical
from speech.decode.label.ctc_score import prepare
from speech.decode.label.joint import Candidate, JointConfig, best, likeliest_prefix, posterior, score
from speech.decode.label.joint_language import joint_posterior
from speech.decode.label.mending import mended
from speech.decode.label.phrases import Bias, LabelPhrases, Pieces
from speech.decode.label.search import LabelHypothesis, likeliest, once
from speech.decode.label.timing import Written, beginnings, time_by_attention, time_by_ctc, written_words
from speech.decode.words.language_id import next_token_posterior
from speech.models.base import LabelModel
from speech.recognize.context import Context, context_tokens, following
from speech.recognize.label_part import Judged, LabelPart, search_with
from speech.recognize.parts import Part
from speech.recognize.request import ENGLISH, Request
from speech.recognize.result import PartResult
from speech.text.languages import LANGUAGES
from speech.text.tokenizers.bpe import LabelTokenizer

_TAIL_S = 0.2
"""Silence behind a part: the last log-mel frames would otherwise lack their right half."""
_MOST_OTHERS = 2
"""Languages in which a part is read besides the one of most of it."""
_MOST_LISTS = 16
"""Of phrases, that are remembered."""
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
        self._phrases = lru_cache(_MOST_LISTS)(self._compile)
        self._search = search_with(model, tokenizer, self.config.beam)
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
        phrases = self._phrases(canonical(request.phrases)) if request.to is None and request.phrases else None
        several, translate = request.nbest > 1, request.to is not None
        spoken = tuple(sorted(judged.languages, key=lambda code: -posterior.get(code, 0.0)))
        own = replace(judged, languages=spoken)
        written = self.write(
            part, language, own, translate=translate, several=several, phrases=phrases or None, before=before
        )
        return JointResult(language, posterior, written)

    def posterior(self, part: LabelPart, request: Request, told: Mapping[str, float]) -> Mapping[str, float]:
        """Of the languages asked for, by both judges; see `read`."""
        if len(request.languages) == 1:
            return {request.languages[0]: 1.0}
        config, shares = self.config, self.languages(part)
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

    @torch.inference_mode()
    def listen(self, samples: np.ndarray) -> LabelPart:
        """A part `(n,)` at 16 kHz."""
        padded = np.pad(samples, (0, round(_TAIL_S * SAMPLE_RATE)))
        heard = torch.from_numpy(padded).to(self.model.device)[None]
        lower = self.model.lower(heard, torch.tensor([len(padded)], device=heard.device), self.shared_layers)
        return LabelPart(self.model, lower, len(samples) / SAMPLE_RATE)

    @torch.inference_mode()
    def languages(self, part: LabelPart) -> Mapping[str, float]:
        """Posterior of the decoder's languages."""
        logits = part.start(self.tokenizer.start)
        shares = next_token_posterior(logits, list(self.tokenizer.languages.values())).tolist()
        return dict(zip(self.tokenizer.languages, shares, strict=True))

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
            text = self.tokenizer.decode(once(likeliest(self._found(part, prompt)).tokens)).strip()
            words = written_words(text)
            timed = self._by_attention(part, prompt, self._ids(text, ENGLISH), words, judged) if words else Written()
            return replace(timed, language=language)
        weight, prompt = self.weight(language, judged, phrases=phrases is not None), self.tokenizer.prompt(language)
        candidates = self._best(part, language, judged, weight, phrases, before)
        if not candidates or self._made_up(part, candidates[0], judged):
            return self._timed(part, prompt, "", judged, language)
        texts = [one.text for one in candidates[: None if several else 1]]
        if self.config.weight(language) and phrases is None:
            texts[0] = self._mended(part, candidates[0], language, judged)
        shares = posterior(candidates, weight)
        first, *others = (
            replace(self._timed(part, prompt, text, judged, language), confidence=share)
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
        return candidate.label / (len(self._ids(candidate.text, language)) + 1)

    def following(self, segment: Part, heard: PartResult) -> Context | None:
        """See `PartReader`."""
        most = min(self.config.context_tokens, self.model.max_tokens // 2)
        return following(segment.before, heard, self.tokenizer, most, self.config.context_sure)

    def _nobody(self, part: LabelPart, judged: Judged) -> bool:
        """Whether nobody speaks: CTC's own text is not clear, and the decoder is sure that there is no speech."""
        text = judged.texts[0]
        each = self._each(text, score(judged.log_probs, [judged.spell(text)])[0], judged)
        return each < self.config.unclear and self._no_speech(part) >= self.config.silence

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
        return not self._heard(candidate, judged) and self._no_speech(part) >= self.config.no_speech

    def _heard(self, candidate: Candidate, judged: Judged) -> bool:
        """Whether CTC hears it."""
        return self._each(candidate.text, candidate.ctc, judged) >= self.config.unheard

    def _each(self, text: str, ctc: float, judged: Judged) -> float:
        """Mean log-probability of its characters."""
        return ctc / max(len(judged.spell(text).ids), 1)

    def _no_speech(self, part: LabelPart) -> float:
        """Probability by the decoder."""
        logits = part.start(self.tokenizer.start).float()
        return float(logits.softmax(dim=0)[self.tokenizer.no_speech])

    def weight(self, language: str, judged: Judged, *, phrases: bool = False) -> float:
        """What CTC counts for in a language; more where phrases are preferred."""
        adapted = language in judged.adapted and language not in self.config.learnt
        usual = self.config.ctc_weight if adapted else self.config.weight(language)
        return max(usual, self.config.phrase_ctc_weight) if phrases and usual else usual

    @torch.inference_mode()
    def candidates(
        self,
        part: LabelPart,
        language: str,
        judged: Judged,
        *,
        own: bool | None = None,
        phrases: LabelPhrases | None = None,
        before: Sequence[int] = (),
    ) -> list[Candidate]:
        """What may have been said: texts of the search that have ended, and CTC's own where it has learnt the language.

        Arguments are those of `write`, and `own`: whether CTC's own texts are among them, behind the others; `before`
        is in tokens. With them nothing is found where no text of the search ends.
        """
        own = language in {*self.config.learnt, *judged.adapted} if own is None else own
        prompt = self.tokenizer.prompt(language, before=before)
        found = self._found(part, prompt, phrases)
        if before and not any(one.ended for one in found):
            return []
        texts: dict[str, float | None] = {}
        ctc_only: set[str] = set()
        for one in found:
            if one.ended:
                texts.setdefault(self.tokenizer.decode(one.tokens).strip(), one.score)
        if not texts and found:  # it repeats itself, or does not end
            cut = self._cut(found[0].tokens, language, judged)
            texts[cut] = None
            own = own or not cut
        if own:
            for said in map(_as_written, judged.texts):
                if said not in texts:
                    texts[said], ctc_only = None, {*ctc_only, said}
        texts.pop("", None)
        unscored = {text: self._ids(text, language) for text, known in texts.items() if known is None}
        short = {text: ids for text, ids in unscored.items() if len(ids) <= self._room(prompt)}
        texts |= dict.fromkeys(unscored, -math.inf)
        if short:
            texts |= zip(short, part.log_probs(prompt, [*short.values()], self._search), strict=True)
        heard = score(judged.log_probs, [judged.spell(text) for text in texts])
        boost = self.config.phrase_weight
        bonuses = [0.0 if phrases is None else boost * phrases.of(self._ids(text, language)) for text in texts]
        return [
            Candidate(text, known or 0.0, ctc, text in ctc_only, bonus)
            for (text, known), ctc, bonus in zip(texts.items(), heard, bonuses, strict=True)
        ]

    def _found(
        self, part: LabelPart, prompt: Sequence[int], phrases: LabelPhrases | None = None
    ) -> list[LabelHypothesis]:
        bias = None if phrases is None else Bias(phrases, self.config.phrase_search)
        return self._search(part, prompt, min(part.most_tokens, self._room(prompt)), bias)

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces.of([self.tokenizer.piece(token) for token in range(self.tokenizer.end)])

    def _compile(self, phrases: tuple[Phrase, ...]) -> LabelPhrases:
        tokenizer = self.tokenizer
        return LabelPhrases(phrases, tokenizer.encode, self._pieces, tokenizer.end)

    def _cut(self, tokens: Sequence[int], language: str, judged: Judged) -> str:
        """As much as is said of a text that repeats itself or does not end."""
        if language not in judged.tokenizer.vocabulary.languages:  # CTC cannot tell
            return self.tokenizer.decode(once(tokens)).strip()
        text = self.tokenizer.decode(tokens).strip()
        return likeliest_prefix(judged.log_probs, beginnings(text, written_words(text)), judged.spell)

    def _room(self, prompt: Sequence[int]) -> int:
        """Most tokens behind a prompt."""
        return self.model.max_tokens - len(prompt)

    def _ids(self, text: str, language: str) -> list[int]:
        """Tokens of a text, as the decoder would write it."""
        return self.tokenizer.encode(f" {text}" if LANGUAGES[language].spaces else text)

    def _timed(self, part: LabelPart, prompt: Sequence[int], text: str, judged: Judged, language: str) -> Written:
        words = written_words(text)
        found = time_by_ctc(words, judged.log_probs, judged.spell) if words else Written()
        found = found or self._by_attention(part, prompt, self._ids(text, language), words, judged)
        return replace(found, language=language)

    def _by_attention(
        self, part: LabelPart, prompt: Sequence[int], ids: Sequence[int], words: Sequence[str], judged: Judged
    ) -> Written:
        ids = ids[: self._room(prompt)]
        tokens = torch.tensor([[*prompt, *ids]], device=part.frames.device)
        x, _, attention = self.model.step(tokens, part.fresh, self.model.alignment_heads)
        assert attention is not None
        own = attention[0, :, len(prompt) - 1 :]
        own = (own - own.mean(dim=1, keepdim=True)) / own.std(dim=1, keepdim=True).clamp(min=1e-6)
        chances = self.model.logits(x[0, len(prompt) - 1 : -1]).float().softmax(dim=-1)
        chance = chances.gather(1, torch.tensor(ids, device=chances.device)[:, None])[:, 0].tolist()
        pieces = [self.tokenizer.piece(token) for token in ids]
        frames, scale = len(judged.log_probs), self.model.frame_s / judged.frame_s
        return time_by_attention(words, pieces, own.mean(dim=0).cpu().numpy(), chance, frames, scale)


def _as_written(plain: str) -> str:
    """A plain text with a capital and a full stop, as a label decoder expects one."""
    return f"{plain[:1].upper()}{plain[1:]}." if plain else plain
