"""A subset of SSML 1.1 (W3C 2010) to what is to be spoken. Nothing is fetched, and there are no entities but XML's own.

| element | attributes |
|---|---|
| `speak`, `lang`, `p`, `s` | `xml:lang` |
| `break` | `time` ("500ms", "1.5s"), `strength` |
| `prosody` | `rate` ("slow", "80%", "1.2") |
| `say-as` | `interpret-as`, `format` for dates |
| `sub` | `alias` |
| `phoneme` | `ph`, `alphabet="ipa"` |
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from xml.parsers import expat

from speech.errors import SpeechError, TextError
from speech.text.languages import resolve
from speech.tts.text_front_end.places import place
from speech.tts.text_front_end.segments import Pause, SpokenStretch
from speech.tts.text_front_end.ssml_block import Block
from speech.tts.text_front_end.ssml_elements import EMPTY, TEXT_ONLY, Style, begun

MOST_CHARACTERS = 1_000_000
"""Longest document that is parsed."""
_DEEPEST = 32
"""Most elements within each other."""


def is_ssml(text: str) -> bool:
    """Whether a text, or its beginning, is that of a document with markup."""
    return text.lstrip().startswith("<speak")


def read_ssml(document: str, language: str, others: Sequence[str] = ()) -> list[SpokenStretch | Pause]:
    """What an SSML document asks for, in order.

    Args:
        language: language of what `xml:lang` says nothing about.
        others: languages of words in other scripts, as for plain text.

    Raises:
        TextError: for a document that is too long or not XML, and for what this subset does not have, with line and
            column.
        LanguageError: for unknown languages, and letters or digits that cannot be spoken.
    """
    if len(document) > MOST_CHARACTERS:
        raise TextError(
            f"the document has {len(document)} characters, at most {MOST_CHARACTERS} are read",
            fix="Send it in several documents.",
        )  # fmt: skip
    style = Style(resolve(language).code, tuple(resolve(other).code for other in others))
    return _Reader(document, style).read()


class _Reader:
    """Follows the parser through one document."""

    def __init__(self, document: str, style: Style) -> None:
        self._document = document
        try:
            self._bytes = document.encode("utf-8")
        except UnicodeEncodeError as error:
            raise TextError("is half a surrogate pair", where=place(document, error.start)) from error
        self._ends = [] if document.isascii() else list(accumulate(len(one.encode("utf-8")) for one in document))
        self._styles = [style]
        self._names: list[str] = []
        self._block = Block(self._locate)
        self._found: list[SpokenStretch | Pause] = []
        self._content = ""
        """Text of an element that has nothing but text."""
        self._content_place: tuple[int, int] | None = None
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = False
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartCdataSectionHandler = lambda: setattr(self, "_in_cdata", True)
        self._parser.EndCdataSectionHandler = lambda: setattr(self, "_in_cdata", False)
        self._in_cdata = False

    def read(self) -> list[SpokenStretch | Pause]:
        """Parse the document."""
        try:
            self._parser.Parse(self._bytes, True)
        except expat.ExpatError as error:
            where = f"line {error.lineno}, column {error.offset + 1}"
            raise TextError(f"is not XML: {expat.ErrorString(error.code)}", where=where) from error
        return self._found

    def _doctype(self, *_: object) -> None:
        raise self._error(TextError("document types and entities are not allowed", fix="Leave the DOCTYPE out."))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        inside = self._names[-1] if self._names else None
        try:
            if len(self._names) >= _DEEPEST:
                raise TextError(f"more than {_DEEPEST} elements are within each other")
            style = begun(name, attributes, inside, self._styles[-1])
        except SpeechError as error:
            raise self._error(error) from error
        if name in ("p", "s"):
            self._finish(paragraph=name == "p")
        if name == "s":
            self._block.whole = True
        if name in TEXT_ONLY:
            self._content, self._content_place = "", None
        self._names.append(name)
        self._styles.append(style)
        if style.pause_s is not None:
            self._block.add_pause(style, *self._tag())

    def _end(self, name: str) -> None:
        style = self._styles.pop()
        self._names.pop()
        if name in TEXT_ONLY:
            first, behind = self._content_place or self._tag()
            try:
                self._block.add_words(style, self._content, first, behind)
            except SpeechError as error:
                raise self._error(error) from error
        if name in ("p", "s", "speak"):
            self._finish(paragraph=name != "s")

    def _finish(self, paragraph: bool) -> None:
        """End the block; a `p` or `s` ends what was written before it."""
        self._found += self._block.items(paragraph)
        self._block = Block(self._locate)

    def _text(self, text: str) -> None:
        if self._names[-1] in EMPTY and text.strip():
            raise self._error(TextError(f"<{self._names[-1]}> has text", fix="It has to be empty."))
        start = self._index(self._parser.CurrentByteIndex)
        entity = self._document[start] == "&" and not self._in_cdata
        if not entity and self._document.startswith(text, start):
            places = [(start + n, start + n + 1) for n in range(len(text))]
        else:  # an entity, or a line ending of two characters
            behind = self._document.find(";", start) + 1 if entity else start + 2
            places = [(start, behind)] * len(text)
        if self._names[-1] in TEXT_ONLY:
            first = self._content_place[0] if self._content_place else places[0][0]
            self._content, self._content_place = self._content + text, (first, places[-1][1])
        else:
            self._block.add_text(self._styles[-1], text, places)

    def _tag(self) -> tuple[int, int]:
        """Where the current tag starts and ends."""
        start = self._index(self._parser.CurrentByteIndex)
        return start, self._document.find(">", start) + 1

    def _index(self, byte: int) -> int:
        """The character that starts at a byte."""
        return bisect_right(self._ends, byte) if self._ends else byte

    def _locate(self, position: int) -> str:
        return place(self._document, position)

    def _error(self, error: SpeechError) -> SpeechError:
        """An error with the place of the parser, unless it has one."""
        where = f"line {self._parser.CurrentLineNumber}, column {self._parser.CurrentColumnNumber + 1}"
        return type(error)(error.what, where=where, fix=error.fix)
