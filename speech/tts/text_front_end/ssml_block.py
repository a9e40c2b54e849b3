"""The text of one paragraph or sentence of an SSML document, and what stands within it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from speech.errors import TextError
from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.reading import stretches
from speech.tts.text_front_end.say_as import said_as
from speech.tts.text_front_end.segments import Pause, SpokenStretch, StretchEnd
from speech.tts.text_front_end.sentences import OBJECT, Sentence, sentences
from speech.tts.text_front_end.spoken_form import Claim, SpokenForm, written_out
from speech.tts.text_front_end.ssml_elements import Style


class Block:
    """Text with styles.

    Args:
        locate: names a place of the document for errors.
    """

    def __init__(self, locate: Callable[[int], str]) -> None:
        self._locate = locate
        self._text: list[str] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._styles: list[Style | SpokenStretch | Pause] = []
        self.whole = False
        """Whether it is one sentence."""

    def add_text(self, style: Style, text: str, places: Sequence[tuple[int, int]]) -> None:
        """Add text that is normalised.

        Args:
            places: for each character, where it starts and ends in the document.
        """
        self._text += text
        self._starts += [start for start, _ in places]
        self._ends += [end for _, end in places]
        self._styles += [style] * len(text)

    def add_pause(self, style: Style, start: int, end: int) -> None:
        """Add a `break`; `start` and `end` are its place in the document."""
        self._add(Pause(style.pause_s or 0.0, start, end), start, end)

    def add_words(self, style: Style, text: str, start: int, end: int) -> None:
        """Add an element whose words are one unit: `say-as`, `sub` or `phoneme`.

        Args:
            text: its content, which lies from `start` to `end` in the document.

        Raises:
            TextError: if there is no text, or it is not what `say-as` says.
            LanguageError: if it cannot be said in the language.
        """
        if not text.strip():
            raise TextError("the element has no text")
        if style.say_as:
            spoken = written_out(
                text, [Claim(0, len(text), said_as(text, style.say_as, style.date_format, style.language))]
            )
        else:
            spoken = normalise(style.alias or text, style.language)
        placed = _at(spoken, start, end)
        self._add(
            SpokenStretch(placed, style.language, StretchEnd.none, style.rate, style.phonemes or None), start, end
        )

    def _add(self, one: SpokenStretch | Pause, start: int, end: int) -> None:
        self._text.append(OBJECT)  # a pause, or words that are not cut
        self._starts.append(start)
        self._ends.append(end)
        self._styles.append(one)

    def items(self, paragraph: bool) -> list[SpokenStretch | Pause]:
        """What is to be spoken.

        Args:
            paragraph: whether a paragraph ends with the block.

        Raises:
            LanguageError: for letters or digits that cannot be spoken, with their place.
        """
        text = "".join(self._text)
        found: list[SpokenStretch | Pause] = []
        if self.whole:
            cut = [Sentence(text, 0)] if text.strip() else []
        else:
            cut = sentences(text, self._language())
        for number, sentence in enumerate(cut):
            last = number + 1 == len(cut)
            ends = paragraph if last else sentence.ends_paragraph
            found += self._sentence(sentence, StretchEnd.paragraph if ends else StretchEnd.sentence)
        return found

    def _language(self) -> str:
        """Language of the first text: it decides which full stops are those of abbreviations."""
        return next((one.language for one in self._styles if not isinstance(one, Pause)), "eng")

    def _sentence(self, sentence: Sentence, end: StretchEnd) -> list[SpokenStretch | Pause]:
        found: list[SpokenStretch | Pause] = []
        for _, group in groupby(range(sentence.start, sentence.end), key=lambda n: id(self._styles[n])):
            numbers = list(group)
            style = self._styles[numbers[0]]
            if not isinstance(style, Style):
                found.append(style)
                continue
            text = "".join(self._text[numbers[0] : numbers[-1] + 1])
            if not text.strip():
                continue
            found += self._styled(style, text, numbers[0])
        for number in range(len(found) - 1, -1, -1):
            one = found[number]
            if isinstance(one, SpokenStretch):
                found[number] = replace(one, end=end)
                break
        return found

    def _styled(self, style: Style, text: str, first: int) -> list[SpokenStretch]:
        starts, ends = self._starts, self._ends
        parts = stretches(
            text, first, style.language, style.others, StretchEnd.none, lambda position: self._locate(starts[position])
        )
        return [replace(one, spoken=one.spoken.mapped(starts, ends), rate=style.rate) for one in parts]


def _at(spoken: SpokenForm, start: int, end: int) -> SpokenForm:
    """The same with one place for all words."""
    words = tuple(replace(word, source_start=start, source_end=end) for word in spoken.words)
    return SpokenForm(spoken.text, words)
