"""Translation of one stream by a text translator: what is translated when, and what of it is written.

A part is translated once it is complete. If a policy is asked for, its text so far is translated while it grows, and
LocalAgreement on the words of these drafts says what is written. Of each target, texts are translated one after the
other, complete parts first; of drafts only the newest waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from speech.errors import SpeechError, TranslatorError
from speech.events import Event, TranslationEvent, WarningEvent
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.text_translation import TextTargets, known_source, main_language, spread
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.text_jobs import TextJob, TextPlace
from speech.transcript import Toxicity, Word, join, joined_toxicity, plain_words
from speech.translate.local_agreement import LocalAgreement
from speech.translate.text.added_toxicity import toxicity_of_text
from speech.translate.text.word_drafts import WordDrafts

_MOST_WAITING = 16
"""Complete parts of one target that may wait for the translator; further ones are not translated."""
FAILED = "translation_failed"
"""Code of the warning that texts are not translated."""


@dataclass(slots=True)
class _TargetState:
    """What is written in one language."""

    parts: deque[TextJob] = field(default_factory=deque)
    """Complete parts that are not translated yet."""
    draft: TextJob | None = None
    """The newest draft to translate."""
    drafts: WordDrafts = field(default_factory=WordDrafts)
    """Of the part under way."""
    added: tuple[str, ...] = ()
    """Listed words that the translator had added to these drafts."""
    before: list[Word] = field(default_factory=list)
    """Translations of the complete parts of `segment`."""
    toxicity: Toxicity | None = None
    """What these have added."""
    segment: int = 0
    asked: tuple[str, float] = "", 0.0
    """Text of the last draft, and up to where it was heard."""


class TextTranslation:
    """See the module's docstring.

    Args:
        targets: of the model and of the text translator.
        options: of the stream.

    Raises:
        LanguageError: if the translator does not translate from a language that is named.
    """

    def __init__(self, targets: TextTargets, options: StreamOptions) -> None:
        self._targets = targets
        self._events: list[Event] = []
        self._states: dict[str, _TargetState] = {}
        self._said: list[Word] = []
        """Words of the part that was read last, with case and punctuation."""
        self._part = 0
        """Number of the part under way."""
        self._warned = False
        self.configure(options)

    def configure(self, options: StreamOptions) -> None:
        """Change the options from the part under way on. Raises what the class does, and changes nothing then."""
        self._wanted = self._checked(options)
        self._options = options
        for target, state in self._states.items():
            if target not in self._wanted:
                state.draft, state.drafts, state.added = None, WordDrafts(), ()

    def _checked(self, options: StreamOptions) -> list[str]:
        """The targets of the text translator."""
        wanted = [code for code in options.targets if self._targets.by_text(code)]
        for code in wanted:
            self._targets.check(Request(options.languages, code))
        return wanted

    def of_speech(self, options: StreamOptions) -> StreamOptions:
        """The options without targets of the text translator: what the model is asked for. Raises what the class
        does."""
        self._checked(options)
        own = tuple(code for code in options.targets if not self._targets.by_text(code))
        drafted = not {*own}.isdisjoint(self._targets.reader.drafts_into)
        simultaneous = options.translation if drafted or len(own) == len(options.targets) else None
        return replace(options, targets=own, translation=simultaneous)

    def drain(self) -> list[Event]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    @property
    def busy(self) -> bool:
        """Whether complete parts wait for their translations."""
        return any(state.parts for state in self._states.values())

    def heard(self, said: PartResult) -> None:
        """Take the transcript of a complete part; `part_ended` follows."""
        if self._wanted:
            self._said = self._targets.reader.words(said, Request(self._options.languages))

    def growing(self, place: TextPlace, words: Sequence[Word]) -> None:
        """Take the words so far of the part under way, and have them translated if a draft is due."""
        rules = self._options.translation
        if rules is None or not words:
            return
        text = join(words)
        for target in self._wanted:
            state = self._state(target)
            early = place.heard_s - words[0].start_s < rules.first_s or place.heard_s - state.asked[1] < rules.step_s
            if early or text == state.asked[0]:
                continue
            job = self._job(target, place, words, complete=False)
            if not self._needless(job):
                state.draft, state.asked = job, (text, place.heard_s)

    def part_ended(self, place: TextPlace) -> None:
        """Have the part of `heard` translated."""
        said, self._said = self._said, []
        for target in self._wanted:
            state = self._state(target)
            state.draft, state.asked = None, ("", 0.0)
            job = self._job(target, place, said, complete=True)
            if len(state.parts) >= _MOST_WAITING:
                job.error = TranslatorError(f"the text translator is too slow: {_MOST_WAITING} parts wait for it")
            state.parts.append(job)
            self._settle(state)
        self._part += 1

    def waiting(self) -> list[TextJob]:
        """The next text of each target."""
        following = (state.parts[0] if state.parts else state.draft for state in self._states.values())
        return [job for job in following if job is not None]

    def take(self, job: TextJob) -> None:
        """Take the translation of a text of `waiting`."""
        state = self._state(job.target)
        if job.complete:
            self._settle(state, job)
            return
        if state.draft is job:
            state.draft = None
        if job.part != self._part or job.target not in self._wanted:  # it comes too late
            return
        if job.error is not None:
            self._warn(job.error)
            return
        self._enter(state, job.place.segment)
        rules = self._options.translation or TranslationOptions()
        policy = rules.policy if isinstance(rules.policy, LocalAgreement) else LocalAgreement()
        state.added += job.added
        if state.drafts.take(_translated(job), job.place.heard_s - job.words[0].start_s, policy):
            words = [*state.before, *state.drafts.written]
            toxicity = joined_toxicity([state.toxicity, _toxicity(job, state.drafts.written, state.added)])
            stable = len(words) if job.append else len(state.before)
            self._events.append(_event(job, words, toxicity, stable=stable))

    def _settle(self, state: _TargetState, done: TextJob | None = None) -> None:
        """Write the first part if it is `done`, and those behind it that need no translator."""
        while state.parts and (state.parts[0] is done or self._needless(state.parts[0])):
            self._write(state, state.parts.popleft())

    def _write(self, state: _TargetState, job: TextJob) -> None:
        """Write a complete part; if its translation failed, what has been written of it remains."""
        self._enter(state, job.place.segment)
        drafted = list(state.drafts.written)
        if job.error is not None:
            self._warn(job.error)
            words = drafted
        else:
            words = _translated(job)
            words = state.drafts.finish(words) if job.append else words
        added = (*state.added, *job.added) if job.append or job.error is not None else job.added
        state.toxicity = joined_toxicity([state.toxicity, _toxicity(job, words, added)])
        state.drafts, state.added, state.before = WordDrafts(), (), [*state.before, *words]
        if job.place.closes or words or drafted:
            stable, final = len(state.before), job.place.closes
            self._events.append(_event(job, state.before, state.toxicity, stable=stable, final=final))

    @staticmethod
    def _enter(state: _TargetState, segment: int) -> None:
        """Forget the words of an earlier segment."""
        if segment != state.segment:
            state.segment, state.before, state.toxicity = segment, [], None

    def _needless(self, job: TextJob) -> bool:
        """Whether the translator cannot be asked for a text, or need not."""
        if job.error is None and job.words and job.source != job.target and self._targets.translator is not None:
            try:
                known_source(self._targets.translator, job.source)
            except TranslatorError as error:
                job.error = error
        return job.error is not None or not job.words or job.source == job.target

    def _job(self, target: str, place: TextPlace, words: Sequence[Word], *, complete: bool) -> TextJob:
        rules = self._options.translation
        return TextJob(
            place=place,
            part=self._part,
            words=tuple(words),
            source=main_language(words),
            target=target,
            complete=complete,
            append=rules is not None and rules.append,
            plain=self._options.plain,
            toxic_words=self._targets.toxic_words,
        )

    def _state(self, target: str) -> _TargetState:
        return self._states.setdefault(target, _TargetState())

    def _warn(self, error: SpeechError) -> None:
        """Warn of the first failure in the stream."""
        if not self._warned:
            self._events.append(WarningEvent(FAILED, str(error)))
        self._warned = True


def _translated(job: TextJob) -> list[Word]:
    """The words of a translation; those of a text that is in the target language already stay."""
    if job.source == job.target or not job.words:
        words = list(job.words)
    else:
        pairs = zip(job.written, job.sentences, strict=True)
        words = [word for text, sentence in pairs for word in spread(text, sentence, job.target)]
    return plain_words(words) if job.plain else words


def _toxicity(job: TextJob, words: Sequence[Word], added: Sequence[str]) -> Toxicity | None:
    """What the words written of a part have added, or would have: `added`."""
    return toxicity_of_text(join(job.words), job.source, join(words), job.target, job.toxic_words, added)


def _event(
    job: TextJob, words: Sequence[Word], toxicity: Toxicity | None, *, stable: int, final: bool = False
) -> TranslationEvent:
    place = job.place
    return TranslationEvent(
        segment=place.segment,
        target=job.target,
        is_final=final,
        text=join(words),
        stable=stable,
        words=tuple(words),
        start_s=place.start_s,
        end_s=place.heard_s,
        audio_s=place.heard_s,
        toxicity=toxicity,
    )
