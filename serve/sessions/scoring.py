"""Live scores of one session: collects reference and finals, and scores them beside the event loop."""

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
"""Letters from which on the last score runs in its own process: one alignment holds the GIL for 0.2 s and more."""


_SCRIPT = """
import pickle, sys
from speech.metrics.utterance import score_utterance
pickle.dump(score_utterance(pickle.load(sys.stdin.buffer)), sys.stdout.buffer)
"""  # not multiprocessing: its new processes would import the whole server


@dataclass(frozen=True, slots=True)
class AddReference:
    """Task: add a part of the reference."""

    sentence: int
    content: ReferenceText


@dataclass(frozen=True, slots=True)
class RepeatReference:
    """Task: answer a part of the reference that was sent before."""

    sentence: int


@dataclass(frozen=True, slots=True)
class ScoreFinal:
    """Task: score a final."""

    segment: int
    end_s: float
    text: str
    words: Known


@dataclass(frozen=True, slots=True)
class ScoreTotal:
    """Task: score all finals against the whole reference."""

    at_s: float


Task = AddReference | RepeatReference | ScoreFinal | ScoreTotal


class Scoring:
    """Scoring of one session. Call everything but `run` on the event loop.

    Args:
        vectors: sentence vectors for SAER; None: no SAER.
        most_letters: maximum length of the whole reference.

    Attributes:
        running: tasks have been taken and are not `done`.
        said: number of reference messages so far.
        unanswered: number of reference messages that are not taken yet.
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
        """Add to the reference.

        Raises:
            Refused: it is too long, or a sentence is missing before it. Errors in its content are reported by `run`.
        """
        if self._given_up:
            raise Refused("score_failed", "there will be no more scores", None)
        content = ReferenceText(text=message) if isinstance(message, str) else message
        number = content.sentence if isinstance(content, Reference) else None
        if number is not None and number < self._sentences:
            self._tasks.append(RepeatReference(number))
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
        self._tasks.append(AddReference(self._sentences, content))
        self._sentences += 1
        self.said += 1
        self.unanswered += 1

    def heard(self, event: TranscriptEvent) -> None:
        """Queue a final; finals from before the first reference wait for it."""
        if self._given_up:
            return
        words = tuple((word.text, word.language) for word in event.words)
        self._tasks.append(ScoreFinal(event.segment, event.end_s, event.text, words))

    def finish(self, at_s: float) -> None:
        """Queue the last score: there will be no more finals."""
        self._tasks.append(ScoreTotal(at_s))

    @property
    def _due(self) -> bool:
        return bool(self._tasks and self._sentences and not self._given_up)

    @property
    def busy(self) -> bool:
        """Whether more messages will follow."""
        return self.running or self._due

    def take(self) -> list[Task]:
        """Take the tasks for `run`; none while others are running."""
        if self.running or not self._due:
            return []
        tasks = list(self._tasks)
        self._tasks.clear()
        self.unanswered = 0
        self.running = True
        return tasks

    def run(self, tasks: Sequence[Task]) -> list[wire.ServerMessage]:
        """Run tasks; returns answers and scores in order. On any thread, one call at a time."""
        later = [isinstance(task, ScoreFinal | ScoreTotal) for task in tasks]
        return [found for n, task in enumerate(tasks) for found in self._one(task, meaning=not any(later[n + 1 :]))]

    def done(self) -> None:
        """Mark the taken tasks as done."""
        self.running = False

    def give_up(self) -> list[wire.ServerMessage]:
        """Stop scoring after a failure; the session goes on. Returns the error message."""
        self._given_up = True
        self._tasks.clear()
        self.unanswered = 0
        return [_error("score_failed", "there will be no more scores")]

    def _one(self, task: Task, *, meaning: bool) -> list[wire.ServerMessage]:
        match task:
            case AddReference(sentence, content):
                return [*self._add(content), wire.Referenced(seq=1, sentence=sentence, units=self._score.units)]
            case RepeatReference(sentence):
                return [wire.Referenced(seq=1, sentence=sentence, units=self._score.units)]
            case ScoreFinal(segment, end_s, text, words):
                event = self._score.add_final(text, words, segment=segment, at_s=end_s, meaning=meaning)
            case ScoreTotal(at_s):
                event = self._score.finish(at_s)
        return [] if event is None else [wire.from_record(event.to_dict())]

    def _add(self, content: ReferenceText) -> list[wire.ServerMessage]:
        """Add to the reference; returns an error if its content is invalid, and then adds an empty sentence."""
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
    """A thread-safe sentence encoder; one call at a time."""

    def __init__(self, encoder: SemanticEncoder) -> None:
        self._encoder, self._lock = encoder, threading.Lock()
        self.name, self.languages = encoder.name, encoder.languages

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        with self._lock:
            return self._encoder.encode(texts)


def shared_vectors(name: str) -> Vectors | None:
    """Sentence vectors of an encoder that uses one core and may be shared by threads; None for `none`.

    Raises:
        ConfigError: if the encoder is not installed.
    """
    return None if name == "none" else Vectors(_Shared(named_encoder(name, threads=1)))


def score_apart(pairing: Pairing) -> UtteranceScore:
    """Run `score_utterance`; for long texts in a process of its own."""
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
