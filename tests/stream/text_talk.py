"""A stream whose texts are translated, driven by hand."""

from speech.events import Event, TranslationEvent
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.text_translation import TextTargets
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.text_jobs import TextPlace, run_job
from speech.stream.text_translation import TextTranslation
from speech.transcript import Word
from speech.translate.local_agreement import LocalAgreement
from speech.translate.toxicity import ToxicWords
from tests.text_translators import Tagging


class Saying:
    """A reader whose parts have been read: a result says which text it is."""

    into, drafts_into = ("eng",), ("eng",)

    def __init__(self) -> None:
        self.said: list[list[Word]] = []

    def words(self, result: PartResult, request: Request) -> list[Word]:
        assert not request.plain
        return self.said[result.frames]

    def check(self, request: Request) -> object:
        return None


class Talk:
    """A stream driven by hand. A word takes a second."""

    def __init__(self, translator=None, toxic_words: ToxicWords | None = None, **options) -> None:
        self.reader, self.translator = Saying(), translator or Tagging()
        given = {
            "targets": ("fra",),
            "translation": TranslationOptions(policy=LocalAgreement(), first_s=1.0, step_s=1.0),
        }
        self.options = StreamOptions(**{**given, **options})
        self.texts = TextTranslation(TextTargets(self.reader, self.translator, toxic_words), self.options)
        self.segment, self.start_s, self.now_s = 0, 0.0, 0.0

    def _words(self, text: str, language: str | None) -> list[Word]:
        return [Word(w, self.start_s + n, self.start_s + n + 1.0, 1.0, language) for n, w in enumerate(text.split())]

    def grow(self, text: str, *, translate: bool = True, language: str | None = "eng") -> None:
        words = self._words(text, language)
        self.now_s = self.start_s + len(words)
        self.texts.growing(TextPlace(segment=self.segment, start_s=self.start_s, heard_s=self.now_s), words)
        if translate:
            self.translate()

    def end(self, text: str, *, closes: bool = True, translate: bool = True, language: str | None = "eng") -> None:
        words = self._words(text, language)
        self.now_s = self.start_s + len(words)
        self.reader.said.append(words)
        self.texts.heard(PartResult([], None, len(self.reader.said) - 1, self.now_s))
        self.texts.part_ended(TextPlace(segment=self.segment, start_s=self.start_s, heard_s=self.now_s, closes=closes))
        if closes:
            self.segment, self.start_s = self.segment + 1, self.now_s
        if translate:
            self.translate()

    def translate(self) -> None:
        while jobs := self.texts.waiting():
            for job in jobs:
                run_job(self.translator, job)
                self.texts.take(job)


def shown(events: list[Event]) -> list[tuple[int, str, int, bool]]:
    return [(e.segment, e.text, e.stable, e.is_final) for e in events if isinstance(e, TranslationEvent)]
