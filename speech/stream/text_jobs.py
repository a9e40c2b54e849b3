"""Texts of live sessions that are to be translated by a text translator, and the queue between them and it.

They do not go with the readings of parts: a translator that is slow, or does not answer, delays no transcript.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from speech.errors import SpeechError, TranslatorError
from speech.recognize.text_translation import sentences
from speech.transcript import Word, join
from speech.translate.text.added_toxicity import without_added
from speech.translate.text.translator import TextTranslator
from speech.translate.toxicity import ToxicWords

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPlace:
    """The part of a stream that a text belongs to."""

    segment: int
    start_s: float
    """Begin of the segment."""
    heard_s: float
    """Position in the stream up to which the text was heard."""
    closes: bool = False
    """Whether the segment ends with this part."""


@dataclass(eq=False, kw_only=True, slots=True)
class TextJob:
    """A text to translate and, later, its translation."""

    place: TextPlace
    part: int
    """Number of its part in the stream."""
    words: tuple[Word, ...]
    source: str | None
    """ISO 639-3; None: not known."""
    target: str
    complete: bool
    """Whether the part is complete; otherwise it is a draft."""
    append: bool
    """Whether the words that were written stay."""
    plain: bool
    toxic_words: ToxicWords | None = None
    """Lists of words that the translation may not add."""
    owner: Hashable = None
    written: list[str] = field(default_factory=list)
    """One translation per sentence."""
    added: tuple[str, ...] = ()
    """Listed words that the translator had added; see `without_added`."""
    error: SpeechError | None = None

    @property
    def key(self) -> Hashable:
        """At most one job per session and target is with the translator."""
        return self.owner, self.target

    @property
    def sentences(self) -> list[list[Word]]:
        """The words of each sentence."""
        return sentences(self.words)

    @property
    def texts(self) -> list[str]:
        """The texts of the sentences."""
        return [join(sentence) for sentence in self.sentences]


class TextQueue(Protocol):
    """Has texts translated, on this thread or on others."""

    @property
    def ready(self) -> bool:
        """Whether there are translations to collect."""

    def want(self, jobs: Sequence[TextJob]) -> None:
        """Replace the jobs that have not begun."""

    def collect(self) -> list[TextJob]:
        """Return the jobs finished since the last call."""


class DirectTexts:
    """Translates at once, on the caller's thread."""

    def __init__(self, translator: TextTranslator) -> None:
        self._translator = translator
        self._done: list[TextJob] = []

    @property
    def ready(self) -> bool:
        return bool(self._done)

    def want(self, jobs: Sequence[TextJob]) -> None:
        """Translate all of them."""
        for job in jobs:
            run_job(self._translator, job)
        self._done += jobs

    def collect(self) -> list[TextJob]:
        done, self._done = self._done, []
        return done


def run_job(translator: TextTranslator, job: TextJob) -> None:
    """Translate the text of a job; an error becomes its result."""
    assert job.source is not None
    try:
        texts = translator.translate(job.texts, job.source, job.target)
        job.written, job.added = without_added(translator, job.texts, job.source, texts, job.target, job.toxic_words)
    except SpeechError as error:
        job.error = error
    except Exception:
        _log.exception("a text translator failed")
        job.error = TranslatorError("the text translator failed", fix="The server's log says why.")
