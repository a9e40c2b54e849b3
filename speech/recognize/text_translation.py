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
from speech.transcript import Toxicity, Transcript, Word, join, joined_toxicity, plain_words
from speech.translate.text.added_toxicity import toxicity_of_text, without_added
from speech.translate.text.translator import TextTranslator, check_source
from speech.translate.toxicity import ToxicWords

_FEWEST, _MOST = 4, 60
"""Words of a sentence: shorter ones are joined with the next, longer ones are cut."""
_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "۔", "؟", "።")


class TextTargets:
    """What a reader and the text translator behind it translate into together. A target that the reader translates
    speech into itself is left to the reader.

    Args:
        reader: reads parts.
        translator: None: the reader's targets only.
        toxic_words: lists of words that the translator may not add; None: none. The reader has its own guard.
    """

    def __init__(
        self, reader: PartReader, translator: TextTranslator | None, toxic_words: ToxicWords | None = None
    ) -> None:
        self.reader, self.translator, self.toxic_words = reader, translator, toxic_words

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
        found = [[_PartText(words) for part in parts if (words := self.reader.words(part, asked))] for parts in files]
        self._translate([part for parts in found for part in parts], to)
        results = []
        for parts, transcript in zip(found, transcripts, strict=True):
            words = [word for part in parts for word in part.written(to)]
            words = plain_words(words) if request.plain else words
            toxicity = joined_toxicity(part.toxicity(to, self.toxic_words) for part in parts)
            text, task = join(words), f"st_{to}"
            results.append(replace(transcript, text=text, words=tuple(words), task=task, toxicity=toxicity))
        return results

    def _translate(self, parts: Sequence[_PartText], to: str) -> None:
        """Translate parts, each from its language; those in the target language stay."""
        assert self.translator is not None
        by_language: dict[str, list[_PartText]] = defaultdict(list)
        for part in parts:
            if part.language != to:
                by_language[known_source(self.translator, part.language)].append(part)
        for language, own in by_language.items():
            found = iter(self.translator.translate([text for part in own for text in part.texts], language, to))
            for part in own:
                texts = [next(found) for _ in part.texts]
                part.texts, part.added = without_added(
                    self.translator, part.texts, language, texts, to, self.toxic_words
                )


class _PartText:
    """The text of a part and its translation.

    Args:
        words: of the part.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self._said, self._sentences = words, sentences(words)
        self.language = main_language(words)
        self.texts = [join(sentence) for sentence in self._sentences]
        """Of the sentences, later their translations."""
        self.added: tuple[str, ...] = ()
        """Listed words that the translator had added; see `without_added`."""

    def written(self, to: str) -> list[Word]:
        """The words of the translation."""
        pairs = zip(self.texts, self._sentences, strict=True)
        return [word for text, sentence in pairs for word in spread(text, sentence, to)]

    def toxicity(self, to: str, words: ToxicWords | None) -> Toxicity | None:
        """What the translation has added."""
        return toxicity_of_text(join(self._said), self.language, join(self.written(to)), to, words, self.added)


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
