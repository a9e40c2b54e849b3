"""Drafts of a translation: what a label decoder writes behind what has been written already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from speech.decode.label.banned import BannedSequences
from speech.decode.label.search import LabelHypothesis, likeliest, once
from speech.models.base import LabelModel
from speech.nn.policy_network import PolicyNetwork
from speech.recognize.label_part import LabelPart, search_with
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.translate.policy import TranslationDraft


class DraftDecoder:
    """Continues translations.

    Args:
        model, tokenizer: of the label decoder.
        beam: beam size for complete parts; drafts are greedy.
        guard: against toxicity that translations add.
    """

    def __init__(
        self, model: LabelModel, tokenizer: LabelTokenizer, beam: int, guard: ToxicityGuard | None = None
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._greedy, self._full = search_with(model, tokenizer, 1), search_with(model, tokenizer, beam)
        self._guard = guard
        self.policy: PolicyNetwork | None = None
        """A trained policy of the model."""

    @torch.inference_mode()
    def draft(
        self,
        part: LabelPart,
        language: str,
        target: str,
        written: Sequence[int],
        *,
        complete: bool,
        trained: bool = False,
        heard: Iterable[str] = (),
    ) -> TranslationDraft:
        """Continue a translation.

        Args:
            part: the audio so far.
            language: ISO 639-3 code of the speech, known to the decoder.
            target: ISO 639-3 code of the translation, which the decoder was trained for.
            written: tokens of the translation that are not taken back.
            complete: whether no more audio of the part will come.
            trained: whether the draft has the trained policy's probabilities; there must be one.
            heard: CTC's texts of the speech, if it knows the language; for the guard.
        """
        start = [*self._tokenizer.prompt(language, target=target), *written]
        search = self._full if complete else self._greedy
        if written:  # the text may end behind what is written
            search = replace(search, forbidden_first=frozenset(search.forbidden_first) - {search.end})
        most = min(part.most_tokens - len(written), self._model.max_tokens - len(start) - 1)
        found = likeliest(search(part, start, most)) if most > 0 else LabelHypothesis((), 0.0, True)
        toxicity = None
        if self._guard is not None and most > 0:

            def again(banned: BannedSequences) -> list[LabelHypothesis]:
                return replace(search, banned=banned)(part, start, most)

            def said() -> tuple[str, ...]:
                return (*heard, self._transcript(part, language))

            found, toxicity = self._guard.draft(found, (language, target), again, said, written)
        tokens, ended = tuple(found.tokens if found.ended else once(found.tokens)), found.ended
        count = len(self._tokenizer.decode(written).split())
        pieces = tuple(self._tokenizer.piece(token) for token in tokens)
        attended, chances = self._attended(part, start, tokens) if tokens else ((), ())
        write = self._write(part, start, tokens) if tokens and trained else ()
        told = tuple(written)
        return TranslationDraft(part.seconds, tokens, pieces, ended, attended, chances, write, told, count, toxicity)

    def _transcript(self, part: LabelPart, language: str) -> str:
        """What the decoder hears of a part so far, searched greedily."""
        prompt = self._tokenizer.prompt(language)
        most = min(part.most_tokens, self._model.max_tokens - len(prompt))
        return self._tokenizer.decode(once(likeliest(self._greedy(part, prompt, most)).tokens))

    def _attended(
        self, part: LabelPart, start: Sequence[int], tokens: Sequence[int]
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Seconds of the part that each token attends to most by the alignment heads, and the tokens' probabilities."""
        rows = torch.tensor([[*start, *tokens]], device=part.frames.device)
        x, _, attention = self._model.step(rows, part.fresh, self._model.alignment_heads)
        assert attention is not None
        frames = self._heard(part)
        before = slice(len(start) - 1, -1)  # a token is predicted by the row before it
        places = standardised(attention[0, ..., :frames].float())[before].argmax(dim=-1)
        chances = self._model.logits(x[0, before]).float().softmax(dim=-1).gather(1, rows[0, len(start) :, None])
        return tuple((places * self._model.frame_s).tolist()), tuple(chances[:, 0].tolist())

    def _write(self, part: LabelPart, start: Sequence[int], tokens: Sequence[int]) -> tuple[float, ...]:
        """Of each token, the policy's probability at the last frame of the part that it may be written."""
        assert self.policy is not None
        rows = torch.tensor([[*start, *tokens]], device=part.frames.device)
        asked = self._model.asked(rows, part.fresh).float()
        chances = self.policy.at_end(asked, part.frames.float(), self._heard(part))
        return tuple(chances[0, len(start) - 1 : -1].tolist())

    def _heard(self, part: LabelPart) -> int:
        """Frames of a part without the silence behind it, at least 1."""
        return min(max(round(part.seconds / self._model.frame_s), 1), part.frames.shape[1])


def standardised(attention: Tensor) -> Tensor:
    """Standardise attention `(heads, n, T)` over the tokens of each head and frame; average over heads to `(n, T)`."""
    mean, deviation = attention.mean(dim=1, keepdim=True), attention.std(dim=1, keepdim=True, unbiased=False)
    return ((attention - mean) / deviation.clamp(min=1e-6)).mean(dim=0)
