"""Word timestamps for the label decoder's text: by CTC alignment where possible, otherwise by attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from speech.decode.label.timing import TimedText, time_by_attention, time_by_ctc, written_words
from speech.models.base import LabelModel
from speech.recognize.context import label_tokens
from speech.recognize.label_part import Judged, LabelPart
from speech.text.tokenizers.bpe import LabelTokenizer


class LabelTimes:
    """Times words on CTC frames.

    Args:
        model, tokenizer: of the label decoder.
    """

    def __init__(self, model: LabelModel, tokenizer: LabelTokenizer) -> None:
        self._model, self._tokenizer = model, tokenizer

    def transcribed(
        self, part: LabelPart, prompt: Sequence[int], text: str, judged: Judged, language: str
    ) -> TimedText:
        """Time the words of a transcript.

        Args:
            part: encoded for the label decoder.
            prompt: tokens before the text.
            text: the transcript.
            judged: CTC's scores.
            language: ISO 639-3 code of the text.
        """
        words = written_words(text)
        found = time_by_ctc(words, judged.log_probs, judged.spell) if words else TimedText()
        found = found or self._by_attention(part, prompt, text, words, judged, language)
        return replace(found, language=language)

    def translated(
        self, part: LabelPart, prompt: Sequence[int], text: str, judged: Judged, direction: tuple[str, str]
    ) -> TimedText:
        """Time the words of a translation, by attention only. Arguments as in `transcribed`; `direction`: ISO 639-3
        codes of the speech and the text."""
        words = written_words(text)
        found = self._by_attention(part, prompt, text, words, judged, direction[1]) if words else TimedText()
        return replace(found, language=direction[0])

    def _by_attention(
        self, part: LabelPart, prompt: Sequence[int], text: str, words: Sequence[str], judged: Judged, language: str
    ) -> TimedText:
        ids = label_tokens(text, language, self._tokenizer)[: self._model.max_tokens - len(prompt)]
        own, chance, pieces = part.attended(part.fresh, self._tokenizer, prompt, ids)
        own = (own - own.mean(dim=1, keepdim=True)) / own.std(dim=1, keepdim=True).clamp(min=1e-6)
        frames, scale = len(judged.log_probs), self._model.frame_s / judged.frame_s
        return time_by_attention(words, pieces, own.mean(dim=0).cpu().numpy(), chance, frames, scale)
