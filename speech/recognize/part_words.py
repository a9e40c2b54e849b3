"""Converts a part's tokens to words with timestamps and languages, for files, finals and partials."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.words.labels import languages_of
from speech.decode.words.words import finished, mixed_drafts, words_from_tokens
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.spoken_languages import language_of
from speech.text.languages import resolve
from speech.transcript import Word, plain_words


class PartWords:
    """Converts tokens to words.

    Args:
        frame_s: seconds between frames.
        languages: ISO 639-3 codes, in the order of `PartResult.evidence`.
        piece: returns the text piece of a CTC token.
    """

    def __init__(self, frame_s: float, languages: Sequence[str], piece: Callable[[int], str]) -> None:
        self._frame_s, self._languages, self._piece = frame_s, languages, piece

    def of(self, result: PartResult, request: Request) -> list[Word]:
        """The words of a part, each with its language, or with the target language of a translation.

        Raises:
            LanguageError: see `language_of`.
        """
        known = self._languages
        code = request.to or result.language or language_of(result.evidence, result.frames, request, known)[0]
        named = request.to is not None or len(request.languages) == 1
        if result.written is None and (named or result.told is None):
            words = self.of_tokens(result.spans, code, result.end_s)
            return plain_words(words) if request.plain else words
        drafts = mixed_drafts(result.spans, self._piece) if result.written is None else result.drafts
        codes: Sequence[str] = [code] * len(drafts)
        if not named and result.told is not None and code in known:
            allowed = [code for code in request.languages if code in known] or known
            codes = languages_of(drafts, result.told, known, allowed, code)
        words = finished(result.spans, drafts, codes, frame_s=self._frame_s, offset_s=0.0, duration_s=result.end_s)
        return plain_words(words) if request.plain else words

    def of_tokens(self, spans: Sequence[TokenSpan], code: str | None, end_s: float) -> list[Word]:
        """The words of CTC tokens in one language; `code` None: not known yet. No word ends after `end_s`."""
        return words_from_tokens(
            spans,
            self._piece,
            frame_s=self._frame_s,
            offset_s=0.0,
            duration_s=end_s,
            language=code,
            spaces=code is None or resolve(code).spaces,
        )
