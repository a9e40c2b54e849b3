"""Candidate texts of a part: hypotheses of the label decoder's search, and CTC's texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

import torch

from speech.decode.bias.phrases import Phrase, canonical
from speech.decode.label.banned import BannedSequences
from speech.decode.label.joint import Candidate, JointConfig, likeliest_prefix, score
from speech.decode.label.phrases import LabelPhrases, PhraseScorer, TokenBytes
from speech.decode.label.search import LabelHypothesis, likeliest, once
from speech.decode.label.timing import beginnings, written_words
from speech.models.base import LabelModel
from speech.recognize.context import label_tokens
from speech.recognize.label_part import Judged, LabelPart, search_with
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.transcript import Toxicity

_MOST_LISTS = 16
"""Maximum number of compiled phrase lists in the cache."""


class LabelCandidates:
    """Finds candidates and scores them for the joint choice.

    Args:
        model, tokenizer: of the label decoder.
        config: weights of label decoder and CTC.
        guard: against toxicity that translations add.
    """

    def __init__(
        self, model: LabelModel, tokenizer: LabelTokenizer, config: JointConfig, guard: ToxicityGuard | None = None
    ) -> None:
        self._model, self._tokenizer, self._config, self._guard = model, tokenizer, config, guard
        self._compiled = lru_cache(_MOST_LISTS)(self._compile)
        self.search = search_with(model, tokenizer, config.beam)

    @torch.inference_mode()
    def __call__(
        self,
        part: LabelPart,
        language: str,
        judged: Judged,
        *,
        own: bool | None = None,
        phrases: LabelPhrases | None = None,
        before: Sequence[int] = (),
    ) -> list[Candidate]:
        """Return the finished hypotheses of the search, with CTC's own texts if it has learnt the language.

        Args:
            part: encoded for the label decoder.
            language: ISO 639-3 code; the decoder must know it.
            judged: CTC's scores.
            own: whether to append CTC's own texts; None: only if it has learnt the language.
            phrases: phrases to bias towards.
            before: context tokens. With context, the list is empty if no hypothesis finishes.
        """
        own = language in {*self._config.learnt, *judged.adapted} if own is None else own
        prompt = self._tokenizer.prompt(language, before=before)
        found = self.found(part, prompt, phrases)
        if before and not any(one.ended for one in found):
            return []
        texts: dict[str, float | None] = {}
        ctc_only: set[str] = set()
        for one in found:
            if one.ended:
                texts.setdefault(self._tokenizer.decode(one.tokens).strip(), one.score)
        if not texts and found:  # no hypothesis finishes, or it loops
            cut = self.cut(found[0].tokens, language, judged)
            texts[cut] = None
            own = own or not cut
        if own:
            for said in map(_as_written, judged.texts):
                if said not in texts:
                    texts[said], ctc_only = None, {*ctc_only, said}
        texts.pop("", None)
        unscored = {
            text: label_tokens(text, language, self._tokenizer) for text, known in texts.items() if known is None
        }
        short = {text: ids for text, ids in unscored.items() if len(ids) <= self.room(prompt)}
        texts |= dict.fromkeys(unscored, -math.inf)
        if short:
            texts |= zip(short, part.log_probs(prompt, [*short.values()], self.search), strict=True)
        heard = score(judged.log_probs, [judged.spell(text) for text in texts])
        bonuses = [0.0] * len(texts)
        if phrases is not None:
            boost = self._config.phrase_weight
            bonuses = [boost * phrases.of(label_tokens(text, language, self._tokenizer)) for text in texts]
        return [
            Candidate(text, known or 0.0, ctc, text in ctc_only, bonus)
            for (text, known), ctc, bonus in zip(texts.items(), heard, bonuses, strict=True)
        ]

    def found(
        self,
        part: LabelPart,
        prompt: Sequence[int],
        phrases: LabelPhrases | None = None,
        banned: BannedSequences | None = None,
    ) -> list[LabelHypothesis]:
        """Search after a prompt, without banned token sequences."""
        bias = None if phrases is None else PhraseScorer(phrases, self._config.phrase_search)
        search = self.search if banned is None else replace(self.search, banned=banned)
        return search(part, prompt, min(part.most_tokens, self.room(prompt)), bias)

    def translation(self, part: LabelPart, language: str, target: str, judged: Judged) -> tuple[str, Toxicity | None]:
        """The likeliest translation, and the toxicity that it added before it was guarded."""

        def search(start: Sequence[int], banned: BannedSequences | None) -> list[LabelHypothesis]:
            return self.found(part, start, banned=banned)

        best, toxicity = likeliest(self.found(part, self._tokenizer.prompt(language, target=target))), None
        if self._guard is not None:
            best, toxicity = self._guard(best, (language, target), search, self.heard(language, judged))
        return self._tokenizer.decode(once(best.tokens)).strip(), toxicity

    @staticmethod
    def heard(language: str, judged: Judged) -> tuple[str, ...]:
        """CTC's texts of the speech, if it knows the language."""
        return judged.texts if language in {*judged.tokenizer.vocabulary.languages, *judged.adapted} else ()

    def cut(self, tokens: Sequence[int], language: str, judged: Judged) -> str:
        """Cut a text that loops or does not end to the prefix that was most likely said."""
        if language not in judged.tokenizer.vocabulary.languages:  # CTC cannot score it
            return self._tokenizer.decode(once(tokens)).strip()
        text = self._tokenizer.decode(tokens).strip()
        return likeliest_prefix(judged.log_probs, beginnings(text, written_words(text)), judged.spell)

    def phrases(self, phrases: Sequence[Phrase]) -> LabelPhrases | None:
        """Compile phrases for the search; None if there are none that can be written."""
        return self._compiled(canonical(phrases)) or None if phrases else None

    def room(self, prompt: Sequence[int]) -> int:
        """Maximum tokens after a prompt."""
        return self._model.max_tokens - len(prompt)

    @cached_property
    def _pieces(self) -> TokenBytes:
        return TokenBytes.of([self._tokenizer.piece(token) for token in range(self._tokenizer.end)])

    def _compile(self, phrases: tuple[Phrase, ...]) -> LabelPhrases:
        return LabelPhrases(phrases, self._tokenizer.encode, self._pieces, self._tokenizer.end)


def _as_written(plain: str) -> str:
    """Capitalize a plain text and add a full stop, as the label decoder expects."""
    return f"{plain[:1].upper()}{plain[1:]}." if plain else plain
