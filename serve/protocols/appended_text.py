"""A text that is sent in pieces: what each message adds to it."""

from __future__ import annotations

from speech.text.languages import LANGUAGES


class AppendedText:
    """Joins the texts of segments, each of which only grows. The returned pieces concatenate to `text`.

    Attributes:
        text: everything so far.
    """

    def __init__(self) -> None:
        self.text = ""
        self._segment = -1
        self._sent: dict[str | None, str] = {}
        """Texts of the current segment so far; there are several only where the language is changed within it."""

    def grown(self, segment: int, text: str, language: str | None = None) -> str:
        """What the text of a segment adds, with a space between segments unless the language is written without.

        Args:
            segment: number of the segment; it is not below that of the last call.
            text: all of the segment so far; it begins with what it was before.
            language: ISO 639-3 code of the text; None: several.
        """
        self._begin(segment)
        return self.added(segment, text[len(self._sent.get(language, "")) :], language)

    def added(self, segment: int, delta: str, language: str | None = None) -> str:
        """As `grown`, for what the segment has more than before."""
        self._begin(segment)
        before = self._sent.get(language, "")
        self._sent[language] = before + delta
        spaced = language is None or LANGUAGES[language].spaces
        piece = f" {delta}" if delta and not before and self.text and spaced else delta
        self.text += piece
        return piece

    def _begin(self, segment: int) -> None:
        if segment != self._segment:
            self._segment, self._sent = segment, {}
