"""The reference of one session, its finals, and the scores of them, which are worked out beside the event loop."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serve.protocols import wire
from serve.protocols.score_messages import Reference, ReferenceText
from serve.sessions.options import Refused
from speech.data.texts import TaggedWord, marked
from speech.errors import DataError, LanguageError
from speech.events import TranscriptEvent
from speech.metrics.live import LiveScore
from speech.metrics.meaning.semantic import SemanticEncoder, named_encoder
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.utterance import Known, Pairing, UtteranceScore, score_utterance
from speech.text.languages import resolve

_log = logging.getLogger(__name__)
_MOST_SENTENCES = 4000
_APART = 20_000
"""Letters from which the last score has a process of its own: one alignment holds Python's lock for .2 s and more."""


_SCRIPT = """
import pickle, sys
from speech.metrics.utterance import score_utterance
pickle.dump(score_utterance(pickle.load(sys.stdin.buffer)), sys.stdout.buffer)
"""  # not multiprocessing, whose new processes import all of the server again


@dataclass(frozen=True, slots=True)
class Told:
    """Part of the reference to be added."""

    sentence: int
    content: ReferenceText


@dataclass(frozen=True, slots=True)
class Repeated:
    """Part of the reference that is known already."""

    sentence: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A final to be scored."""

    segment: int
    end_s: float
    text: str
    words: Known


@dataclass(frozen=True, slots=True)
class Total:
    """Everything to be scored."""

    at_s: float


Task = Told | Repeated | Heard | Total


class Scoring:
    """Of one session. All but `run` is for the event loop.

    Args:
        vectors: of the encoder for SAER, None for none.
        most_letters: of the whole reference.

    Attributes:
        running: tasks have been taken and are not `done`.
        said: messages with parts of the reference so far.
        unanswered: those of them that wait to be taken.
    """

    def __init__(self, vectors: Vectors | None, most_letters: int) -> None:
        self._score = LiveScore(vectors, score_apart)
        self._most, self._letters = most_letters, 0
        self._sentences = 0
        self._tasks: deque[Task] = deque()
        self._given_up = False
        self.running = False
        self.said = self.unanswered = 0

    def reference(self, message: ReferenceText | str) -> None:
        """More of the reference.

        Raises:
            Refused: it is too long, or leaves a sentence out. What is wrong about its content is said by `run`.
        """
        if self._given_up:
            raise Refused("score_failed", "there will be no more scores", None)
        content = ReferenceText(text=message) if isinstance(message, str) else message
        number = content.sentence if isinstance(content, Reference) else None
        if number is not None and number < self._sentences:
            self._tasks.append(Repeated(number))
            self.said += 1
            self.unanswered += 1
            return
        if number is not None and number > self._sentences:
            text = f"sentence {number} comes before {self._sentences}"
            raise Refused("bad_reference", text, wire.CloseCode.bad_config, "sentence")
        letters = self._letters + len(content.text) + sum(len(word.text) for word in content.words)
        if letters > self._most or self._sentences >= _MOST_SENTENCES:
            text = f"a reference of {letters} letters in {self._sentences + 1} messages"
            most = f"at most {self._most} and {_MOST_SENTENCES}"
            raise Refused("reference_too_long", f"{text}; {most}", wire.CloseCode.bad_config, "text")
        self._letters = letters
        self._tasks.append(Told(self._sentences, content))
        self._sentences += 1
        self.said += 1
        self.unanswered += 1

    def heard(self, event: TranscriptEvent) -> None:
        """A final; those from before there is a reference are kept for it."""
        if self._given_up:
            return
        words = tuple((word.text, word.language) for word in event.words)
        self._tasks.append(Heard(event.segment, event.end_s, event.text, words))

    def finish(self, at_s: float) -> None:
        """There will be no more finals."""
        self._tasks.append(Total(at_s))

    @property
    def _due(self) -> bool:
        return bool(self._tasks and self._sentences and not self._given_up)

    @property
    def busy(self) -> bool:
        """Whether there will be more to say."""
        return self.running or self._due

    def take(self) -> list[Task]:
        """What is to be `run`; nothing while something is running."""
        if self.running or not self._due:
            return []
        tasks = list(self._tasks)
        self._tasks.clear()
        self.unanswered = 0
        self.running = True
        return tasks

    def run(self, tasks: Sequence[Task]) -> list[wire.ServerMessage]:
        """The answers and scores, in order. On any thread, one call at a time."""
        later = [isinstance(task, Heard | Total) for task in tasks]
        return [found for n, task in enumerate(tasks) for found in self._one(task, meaning=not any(later[n + 1 :]))]

    def done(self) -> None:
        """What was taken has been run."""
        self.running = False

    def give_up(self) -> list[wire.ServerMessage]:
        """No more scores; the session goes on."""
        self._given_up = True
        self._tasks.clear()
        self.unanswered = 0
        return [_error("score_failed", "there will be no more scores")]

    def _one(self, task: Task, *, meaning: bool) -> list[wire.ServerMessage]:
        match task:
            case Told(sentence, content):
                return [*self._add(content), wire.Referenced(seq=1, sentence=sentence, units=self._score.units)]
            case Repeated(sentence):
                return [wire.Referenced(seq=1, sentence=sentence, units=self._score.units)]
            case Heard(segment, end_s, text, words):
                event = self._score.add_final(text, words, segment=segment, at_s=end_s, meaning=meaning)
            case Total(at_s):
                event = self._score.finish(at_s)
        return [] if event is None else [wire.from_record(event.to_dict())]

    def _add(self, content: ReferenceText) -> list[wire.ServerMessage]:
        """An error if it cannot be had; then the sentence is an empty one."""
        try:
            languages = [resolve(name).code for name in content.languages]
            text, words = marked(content.text)
            if content.words:
                words = tuple(
                    TaggedWord(word.text, resolve(word.language).code if word.language else None, word.poi)
                    for word in content.words
                )
            points = [place for place, word in enumerate(words) if word.tagged]
            self._score.add_reference(text, tuple((word.text, word.language) for word in words), points, languages)
        except (DataError, LanguageError) as error:
            self._score.add_reference("")
            return [_error("bad_reference", str(error))]
        return []


class _Shared:
    """An encoder for sessions of all threads, one text after another."""

    def __init__(self, encoder: SemanticEncoder) -> None:
        self._encoder, self._lock = encoder, threading.Lock()
        self.name, self.languages = encoder.name, encoder.languages

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        with self._lock:
            return self._encoder.encode(texts)


def shared_vectors(name: str) -> Vectors | None:
    """Of an encoder that takes one core and may be used by many threads; None for `none`.

    Raises:
        ConfigError: if it is not installed.
    """
    return None if name == "none" else Vectors(_Shared(named_encoder(name, threads=1)))


def score_apart(pairing: Pairing) -> UtteranceScore:
    """As `score_utterance`; of long texts in a process of its own."""
    if len(pairing.reference) + len(pairing.hypothesis) < _APART:
        return score_utterance(pairing)
    command = [sys.executable, "-c", _SCRIPT]
    try:
        done = subprocess.run(command, input=pickle.dumps(pairing), stdout=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError):
        _log.warning("no process of its own for a score", exc_info=True)
        return score_utterance(pairing)
    found: UtteranceScore = pickle.loads(done.stdout)
    return found


def _error(code: str, message: str) -> wire.Error:
    return wire.Error(seq=1, code=code, message=message, fatal=False, retryable=False)
