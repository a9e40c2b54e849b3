"""Translation of the recognised text, sentence by sentence, into languages that the model of speech does not write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from speech.decode.label.timing import written_words
from speech.errors import LanguageError, TranslatorError
from speech.recognize.part_reader import PartReader
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.text.languages import resolve
from speech.transcript import Transcript, Word, join, plain_words
from speech.translate.text.translator import TextTranslator, check_source

_FEWEST, _MOST = 4, 60
"""Words of a sentence: shorter ones are joined with the next, longer ones are cut."""
_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "۔", "؟", "።")


class TextTargets:
    """What a reader and the text translator behind it translate into together. A target that the reader translates
    speech into itself is left to the reader.

    Args:
        reader: reads parts.
        translator: None: the reader's targets only.
    """

    def __init__(self, reader: PartReader, translator: TextTranslator | None) -> None:
        self.reader, self.translator = reader, translator

    @property
    def into(self) -> tuple[str, ...]:
        """ISO 639-3 codes of all targets, those of the reader first."""
        return tuple(dict.fromkeys((*self.reader.into, *self._of_translator)))

    @property
    def drafts_into(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the targets that can be written before a part is complete."""
        own = [code for code in self._of_translator if self.by_text(code)]
        return tuple(dict.fromkeys((*self.reader.drafts_into, *own)))

    @property
    def _of_translator(self) -> tuple[str, ...]:
        return () if self.translator is None else self.translator.targets

    def by_text(self, target: str | None) -> bool:
        """Whether the text translator writes a target."""
        return target in self._of_translator and target not in self.reader.into

    def spoken(self, request: Request) -> Request:
        """The request for the reader: for a target of the text translator, a transcript to translate."""
        return replace(request, to=None, plain=False, nbest=1) if self.by_text(request.to) else request

    def check(self, request: Request) -> object:
        """See `PartReader.check`; raises LanguageError also if the translator lacks a named language."""
        if self.translator is not None and request.to not in (None, *self.into):
            into = f"the model and the text translator translate into {', '.join(self.into)}, not into {request.to}"
            raise LanguageError(into, fix="Use another translator, or leave the target out.")
        if self.translator is not None and self.by_text(request.to):
            for code in request.languages:
                if code != request.to:
                    check_source(self.translator, code)
        return self.reader.check(self.spoken(request))

    def translated(
        self, files: Sequence[Sequence[PartResult]], transcripts: Sequence[Transcript], request: Request
    ) -> list[Transcript]:
        """Translate the transcripts of files.

        Args:
            files: the parts of each file, as `spoken(request)` asks.
            transcripts: of these parts.
            request: a translation into a target of the text translator.

        Raises:
            TranslatorError: if it does not know the language of a file, or fails.
        """
        assert self.translator is not None
        assert request.to is not None
        asked, to = self.spoken(request), request.to
        found: list[list[tuple[str | None, list[Word]]]] = []
        for parts in files:
            said = [words for part in parts if (words := self.reader.words(part, asked))]
            found.append([(main_language(words), sentence) for words in said for sentence in sentences(words)])
        texts = iter(_translations(self.translator, [pair for pairs in found for pair in pairs], to))
        results = []
        for pairs, transcript in zip(found, transcripts, strict=True):
            words = [word for _, sentence in pairs for word in spread(next(texts), sentence, to)]
            words = plain_words(words) if request.plain else words
            results.append(replace(transcript, text=join(words), words=tuple(words), task=f"st_{to}"))
        return results


def _translations(translator: TextTranslator, said: Sequence[tuple[str | None, Sequence[Word]]], to: str) -> list[str]:
    """Translate sentences, each with its language; those in the target language stay."""
    texts = [join(words) for _, words in said]
    places: dict[str, list[int]] = defaultdict(list)
    for place, (language, _) in enumerate(said):
        if language != to:
            places[known_source(translator, language)].append(place)
    for language, own in places.items():
        for place, text in zip(own, translator.translate([texts[place] for place in own], language, to), strict=True):
            texts[place] = text
    return texts


def known_source(translator: TextTranslator, language: str | None) -> str:
    """A language that was heard, if a translator translates from it.

    Raises:
        TranslatorError: if it does not, or the language is not known.
    """
    if language not in translator.sources:
        heard = "in no language that is known" if language is None else f"in {resolve(language).name} ({language})"
        fix = f"It translates from {', '.join(translator.sources)}."
        raise TranslatorError(f"what was said {heard} is not translated: the text translator lacks it", fix=fix)
    return language


def main_language(words: Sequence[Word]) -> str | None:
    """The language in which most of the time is spoken; None: not known."""
    shares: dict[str | None, float] = {}
    for word in words:
        shares[word.language] = shares.get(word.language, 0.0) + max(word.end_s - word.start_s, 1e-3)
    return max(shares, key=lambda language: shares[language]) if shares else None


def sentences(words: Sequence[Word]) -> list[list[Word]]:
    """Cut the words of a part behind the marks that end a sentence; translators learned with single sentences."""
    found: list[list[Word]] = []
    for word in words:
        whole = bool(found) and (
            len(found[-1]) >= _MOST
            or (len(found[-1]) >= _FEWEST and found[-1][-1].text.rstrip("\"'»”)").endswith(_ENDS))
        )
        if not found or whole:
            found.append([])
        found[-1].append(word)
    return found


def spread(text: str, said: Sequence[Word], language: str) -> list[Word]:
    """The words of a translated sentence, with the time of the words `said` spread over them by their letters.

    A text translator times nothing: only begin and end of the sentence are measured. The confidence is the mean of what
    was recognised.
    """
    words = written_words(text)
    start_s, end_s = said[0].start_s, max(word.end_s for word in said)
    sure = sum(word.confidence for word in said) / len(said)
    letters = sum(map(len, words))
    found: list[Word] = []
    before = 0
    for word in words:
        first_s, last_s = (start_s + (end_s - start_s) * count / letters for count in (before, before + len(word)))
        found.append(Word(word, first_s, last_s, sure, language))
        before += len(word)
    return found
