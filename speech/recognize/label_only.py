"""Reads parts with a label decoder alone, such as a published Whisper model: no CTC scores or times its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.decode.label.banned import BannedSequences
from speech.decode.label.search import LabelHypothesis, likeliest, once
from speech.decode.label.timing import TimedText, time_by_attention, written_words
from speech.errors import ConfigError, LanguageError
from speech.models.base import LabelModel
from speech.models.translation_targets import Targets, check_target
from speech.nn.adapters import AdapterBank
from speech.recognize.context import Context, context_tokens, following
from speech.recognize.draft_decoder import DraftDecoder
from speech.recognize.growing_audio import GrowingAudio, heard_so_far
from speech.recognize.kept import kept
from speech.recognize.label_part import TAIL_S, LabelPart, search_with
from speech.recognize.part_words import PartWords
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.spoken_languages import language_of
from speech.recognize.toxicity_guard import Direction, ToxicityGuard
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.transcript import Toxicity, Word
from speech.translate.policy import TranslationDraft

_BEAM = 5
_LONGEST_S = 28.0
"""Maximum seconds of a part; the rest of the window holds audio beyond its cuts."""
_NO_SPEECH, _UNLIKELY = 0.6, -1.0
"""A part is empty if the no-speech probability exceeds the first value and the mean token log-probability is below the
second (Radford et al. 2022, section 4.5)."""
_SURE = -0.5
"""Minimum mean token log-probability for a text to be context of the next part."""
_MEDIAN = 7
"""Width in frames of the median filter over attention."""


class LabelReader:
    """Reads parts one by one; see `PartReader`.

    Args:
        model, tokenizer: of the label decoder.
        targets: languages that may be translated into; None: all that the model was trained for.
        beam: beam size; None: 5. Requests with `quick` use 1.
        context_tokens: maximum context tokens for a transcript; 0: no context.
        guard: against toxicity that translations add.
    """

    def __init__(
        self,
        model: LabelModel,
        tokenizer: LabelTokenizer,
        targets: Targets | None = None,
        *,
        beam: int | None = None,
        context_tokens: int = 0,
        guard: ToxicityGuard | None = None,
    ) -> None:
        self.model, self.tokenizer, self.targets = model, tokenizer, targets
        self.context_tokens, self._guard = context_tokens, guard
        self.grid, self.live = round(model.frame_s * SAMPLE_RATE), model.live
        self.longest_s: float | None = min(_LONGEST_S, model.max_frames * model.frame_s - 2)
        self.languages = self.known = tuple(tokenizer.languages)
        beams = _BEAM if beam is None else beam, 1
        self._words = PartWords(model.frame_s, self.languages, lambda token: tokenizer.decode([token]))
        self._full, self._quick = (search_with(model, tokenizer, size) for size in beams)
        self.drafts = DraftDecoder(model, tokenizer, beams[0], guard)

    @property
    def into(self) -> tuple[str, ...]:
        """See `PartReader`."""
        return self.tokenizer.targets if self.targets is None else tuple(self.targets)

    @property
    def drafts_into(self) -> tuple[str, ...]:
        """See `PartReader`."""
        return self.into

    @property
    def adapters(self) -> AdapterBank | None:
        """Always None: adapters need a CTC model."""
        return None

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        if bank is not None:
            raise without_ctc("adapters")

    def check(self, request: Request) -> object:
        """See `PartReader`; raises ConfigError if phrases are requested."""
        for code in request.languages:
            if code not in self.languages:
                known = ", ".join(self.languages)
                raise LanguageError(f"the model does not know {code!r}", fix=f"It knows {known}.")
        if self.targets is not None or request.to not in (None, *self.into):
            check_target(request.to, self.targets or {})
        if request.phrases:
            raise without_ctc("phrases")
        return None

    def hurries(self, request: Request) -> bool:
        """Always False: there is no CTC; see `PartReader`."""
        return False

    def following(self, part: Part, result: PartResult) -> Context | None:
        """See `PartReader`."""
        most = min(self.context_tokens, self.model.max_tokens // 2)
        return following(part.before, result, self.tokenizer, most, _SURE)

    @torch.inference_mode()
    def read(self, parts: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        """See `PartReader`. A part with several requests is encoded once."""
        listened: dict[int, LabelPart] = {}
        found: list[PartResult] = []
        for part, request in zip(parts, requests, strict=True):
            if part.silent or not len(part.samples):
                found.append(PartResult([], torch.zeros(len(self.languages)), 0, part.end_sample / SAMPLE_RATE))
                continue
            key = id(part.samples)
            if key not in listened:
                listened[key] = self.listen(part.samples, part.growing)
            found.append(self._read(part, listened[key], request))
        return found

    def listen(self, samples: np.ndarray, growing: GrowingAudio | None = None) -> LabelPart:
        """Encode a part `(n,)` at 16 kHz; `growing` has its beginning.

        Raises:
            ConfigError: if it is longer than the model's window.
        """
        model = self.model
        most = model.max_frames * self.grid
        if len(samples) > most:
            text = f"a part of {len(samples) / SAMPLE_RATE:.1f} s; the model hears {most / SAMPLE_RATE:g} s at once"
            raise ConfigError(text, fix="Lower max_s or context_s.")
        whole = min(len(samples) + round(TAIL_S * SAMPLE_RATE), most) if model.true_length else most
        part = heard_so_far(model, samples, whole, growing)
        part.start(self.tokenizer.start)
        return part

    def _read(self, part: Part, listened: LabelPart, request: Request) -> PartResult:
        assert listened.started is not None
        count = -(-len(part.samples) // self.grid)
        first, last = part.span(self.grid, count)
        evidence = self._languages(listened.started[1].float()) * (last - first)
        code = self.language(evidence, last - first, request)[0]
        if request.to is not None and (request.draft or part.translated):
            draft = self._draft(listened, (code, request.to), part, request)
            end_s = part.end_sample / SAMPLE_RATE
            return PartResult([], evidence, last - first, end_s, written=(), language=code, draft=draft)
        prompt = self.tokenizer.prompt(code, target=request.to)
        told = part.before if request.to is None and not request.quick else None
        before = told if told is not None and told.language == code and self.context_tokens else None
        silence, direction = listened.no_speech(self.tokenizer), None if request.to is None else (code, request.to)
        written = self._write(listened, prompt, silence, count, quick=request.quick, before=before, direction=direction)
        return replace(kept(part, self.grid, count, [], written=written), evidence=evidence, language=code)

    def _draft(self, heard: LabelPart, direction: Direction, part: Part, request: Request) -> TranslationDraft | None:
        if heard.no_speech(self.tokenizer) > _NO_SPEECH:
            return None
        complete, trained = not request.draft, request.trained
        return self.drafts.draft(heard, *direction, part.translated, complete=complete, trained=trained)

    def _languages(self, behind_start: Tensor) -> Tensor:
        """Log-posteriors of languages `(languages,)` on the host, from the logits after the first token."""
        tokens = torch.tensor(list(self.tokenizer.languages.values()), device=behind_start.device)
        return behind_start.index_select(0, tokens).log_softmax(dim=0).cpu()

    def _write(
        self,
        part: LabelPart,
        prompt: Sequence[int],
        silence: float,
        count: int,
        *,
        quick: bool,
        before: Context | None = None,
        direction: Direction | None = None,
    ) -> TimedText:
        """Decode the text of a part, with loops removed; empty if the part is probably silent.

        Args:
            part: from `listen`.
            prompt: language and task tokens.
            silence: no-speech probability.
            count: frames of real audio.
            quick: decode greedily.
            before: context; if it misleads the decoder, the part is decoded again without it.
            direction: ISO 639-3 codes of speech and translation; None: a transcript.
        """
        search = self._quick if quick else self._full
        best = None if before is None else self._told(part, before)
        best = best or likeliest(search(part, prompt, self.model.max_tokens - len(prompt)))
        best, toxicity = (best, None) if direction is None else self._guarded(part, direction, best)
        sure = best.score / (len(best.tokens) + 1)
        if silence > _NO_SPEECH and sure < _UNLIKELY:
            return TimedText()
        tokens = best.tokens if best.ended else once(best.tokens)
        words = written_words(self.tokenizer.decode(tokens).strip())
        timed = self._timed(part, prompt, tokens, words, count) if words else TimedText()
        return replace(timed, sure=sure, toxicity=toxicity) if words else timed

    def _guarded(
        self, part: LabelPart, direction: Direction, best: LabelHypothesis
    ) -> tuple[LabelHypothesis, Toxicity | None]:
        """The translation of a part, checked by the guard."""

        def search(prompt: Sequence[int], banned: BannedSequences | None) -> list[LabelHypothesis]:
            return replace(self._full, banned=banned)(part, prompt, self.model.max_tokens - len(prompt))

        return (best, None) if self._guard is None else self._guard(best, direction, search)

    def _told(self, part: LabelPart, before: Context) -> LabelHypothesis | None:
        """Decode a part with context; None if the text does not end, is unlikely, or may be copied from the context."""
        tokenizer = self.tokenizer
        told = tokenizer.prompt(before.language, before=context_tokens(before, tokenizer))
        best = likeliest(self._full(part, told, self.model.max_tokens - len(told)))
        unlikely = best.score / (len(best.tokens) + 1) < _UNLIKELY
        return None if unlikely or not best.ended or before.copied(tokenizer.decode(best.tokens)) else best

    def _timed(
        self, part: LabelPart, prompt: Sequence[int], tokens: Sequence[int], words: Sequence[str], count: int
    ) -> TimedText:
        """Time words on the first `count` frames, by cross-attention over the text's tokens."""
        assert part.started is not None
        attention, chance, pieces = part.attended(part.started[2], self.tokenizer, prompt[1:], tokens)
        followed = smoothed(attention[..., :count].float()).cpu().numpy()
        return time_by_attention(words, pieces, followed, chance, count)

    def words(self, result: PartResult, request: Request) -> list[Word]:
        """See `PartReader`; all words of a part are in one language."""
        return self._words.of(result, request)

    def language(self, evidence: Tensor | None, frames: int, request: Request) -> tuple[str, float]:
        """See `PartReader`."""
        return language_of(evidence, frames, request, self.languages)


def smoothed(attention: Tensor) -> Tensor:
    """Reduce attention `(heads, tokens, T)` to `(tokens, T)`: standardise each head over tokens, apply a median filter
    over frames, average over heads."""
    share = attention / attention.sum(dim=-1, keepdim=True).clamp(min=1e-10)
    own = (share - share.mean(dim=1, keepdim=True)) / share.std(dim=1, unbiased=False, keepdim=True).clamp(min=1e-10)
    side = _MEDIAN // 2
    if own.shape[-1] > side:
        own = torch.nn.functional.pad(own, (side, side), mode="reflect").unfold(-1, _MEDIAN, 1).median(dim=-1).values
    return own.mean(dim=0)


def without_ctc(what: str) -> ConfigError:
    """Create the error for a request that needs CTC, made to a label-only model."""
    return ConfigError(f"{what}: this model has no CTC", fix="Use a CTC or hybrid model.")
