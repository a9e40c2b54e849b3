"""Items of an OpenAI transcription session: each is announced, gets deltas, and is completed."""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

from serve.protocols import wire
from speech.text.languages import LANGUAGES

_TRANSCRIPTION = "conversation.item.input_audio_transcription"
_LEAST_PROBABILITY = 1e-4

Record = dict[str, Any]


class FlushReason(Enum):
    """Why the session was asked to finalize."""

    commit = auto()
    clear = auto()


class ItemOrder:
    """The order of all items of a session.

    Attributes:
        last: id of the last item; None: there is none yet.
    """

    def __init__(self) -> None:
        self.last: str | None = None

    def append(self, item: str) -> str | None:
        """Add an item; returns the id of the one before it."""
        before, self.last = self.last, item
        return before


class Items:
    """Converts messages of a session into item events.

    An item is a segment, or in manual mode the audio between two commits.

    Args:
        order: of all items of the session, of which there may be others.
        early: whether words come as soon as they will not change; otherwise all come when their item ends, as OpenAI's
            do.

    Attributes:
        flushes: `finalize` requests that the session has not answered yet.
    """

    def __init__(self, order: ItemOrder | None = None, *, early: bool = True) -> None:
        self.flushes: deque[FlushReason] = deque()
        self._order, self._early = order or ItemOrder(), early
        self._manual = self._beta = self._logprobs = False
        self._before: str | None = None  # the item before the current one, once that is announced
        self._starts: list[int] = []  # ms; starts of speech during the current item
        self._speaking = False
        self._from_ms = 0
        self._flushed = False  # the current flush has ended an item
        self._begin()

    def configure(self, *, manual: bool, beta: bool, logprobs: bool) -> None:
        """Change the settings from here on.

        Args:
            manual: items end at commits only, and there are no speech events.
            beta: send the events of the beta API.
            logprobs: send log probabilities of the words.
        """
        self._manual, self._beta, self._logprobs = manual, beta, logprobs

    def take(self, message: wire.ServerMessage) -> list[Record]:
        """Convert a message into events."""
        records: list[Record] = []
        if self._ended_ms is not None and not isinstance(message, wire.TranscriptMessage):  # speech without words
            records += self._complete(self._ended_ms)
        if isinstance(message, wire.TranscriptMessage):
            records += self._transcript(message)
        elif isinstance(message, wire.Finalized):
            records += self._finalized(message.at_ms)
        elif isinstance(message, wire.SpeechStarted) and not self._manual:
            records += self._speech_started(message.at_ms)
        elif isinstance(message, wire.EndpointMessage) and not self._manual and message.reason != "max_length":
            records += self._endpoint(message)
        return records

    def _begin(self) -> None:
        self._id = f"item_{secrets.token_hex(10)}"
        self._announced = False
        self._ended_ms: int | None = None
        self._text = ""
        self._words: list[wire.WordInfo] = []
        self._segment = -1
        self._frozen = 0  # number of words of the segment that have been sent

    @property
    def _clearing(self) -> bool:
        return bool(self.flushes) and self.flushes[0] is FlushReason.clear

    def _speech_started(self, at_ms: int) -> list[Record]:
        if self._speaking:
            self._starts.append(at_ms)
            return []
        self._speaking = True
        return [{"type": "input_audio_buffer.speech_started", "item_id": self._id, "audio_start_ms": at_ms}]

    def _speech_stopped(self, at_ms: int) -> list[Record]:
        if not self._speaking:
            return []
        self._speaking = False
        return [{"type": "input_audio_buffer.speech_stopped", "item_id": self._id, "audio_end_ms": at_ms}]

    def _endpoint(self, message: wire.EndpointMessage) -> list[Record]:
        """VAD has ended a segment; its words follow at once, if there are any."""
        if message.reason == "client" and self._clearing:
            return []
        self._flushed |= message.reason == "client"
        self._ended_ms = message.at_ms
        return [*self._speech_stopped(message.at_ms), *self._announce()]

    def _transcript(self, message: wire.TranscriptMessage) -> list[Record]:
        if self._clearing and (self._manual or message.reason == "client"):
            return []
        words = message.words or []
        fresh = words[self._frozen :] if message.is_final else words
        delta = message.delta or ""
        if delta and self._text and message.segment != self._segment:
            delta = f" {delta}"
        self._segment = message.segment
        self._frozen = 0 if message.is_final else self._frozen + len(fresh)
        records = self._delta(delta, fresh) if delta else []
        if message.is_final and not self._manual:
            self._flushed |= message.reason == "client"
            records += self._complete(message.audio_ms, speech_goes_on=message.reason == "max_length")
        return records

    def _delta(self, delta: str, words: Sequence[wire.WordInfo]) -> list[Record]:
        self._text += delta
        self._words += words
        return [*self._announce(), self._told(delta, words)] if self._early else []

    def _told(self, delta: str, words: Sequence[wire.WordInfo]) -> Record:
        record = {"type": f"{_TRANSCRIPTION}.delta", "item_id": self._id, "content_index": 0, "delta": delta}
        if self._logprobs:
            record["logprobs"] = _logprobs(words)
        return record

    def _finalized(self, at_ms: int) -> list[Record]:
        flush = self.flushes.popleft() if self.flushes else FlushReason.commit
        done, self._flushed = self._flushed, False
        if flush is FlushReason.commit:
            return [] if done and not self._manual else self._complete(at_ms)
        records = self._complete(at_ms) if self._announced else []  # an announced item is completed, not dropped
        self._from_ms, self._speaking = at_ms, False
        self._begin()
        return [*records, {"type": "input_audio_buffer.cleared"}]

    def _announce(self) -> list[Record]:
        if self._announced:
            return []
        self._announced, self._before = True, self._order.append(self._id)
        place = {"previous_item_id": self._before}
        return [
            {"type": "input_audio_buffer.committed", "item_id": self._id, **place},
            {"type": f"conversation.item.{'created' if self._beta else 'added'}", "item": self._item(None), **place},
        ]

    def _complete(self, at_ms: int, *, speech_goes_on: bool = False) -> list[Record]:
        """End the item at `at_ms` and begin the next one."""
        goes_on = speech_goes_on and self._speaking
        records = [*self._speech_stopped(at_ms), *self._announce()]
        if self._text and not self._early:
            records.append(self._told(self._text, self._words))
        completed = {
            "type": f"{_TRANSCRIPTION}.completed",
            "item_id": self._id,
            "content_index": 0,
            "transcript": self._text,
            "languages": [{"code": code} for code in self._languages()],
            "usage": {"type": "duration", "seconds": max(at_ms - self._from_ms, 0) / 1000},
        }
        if self._logprobs:
            completed["logprobs"] = _logprobs(self._words)
        records.append(completed)
        if not self._beta:
            item = self._item(self._text)
            records.append({"type": "conversation.item.done", "item": item, "previous_item_id": self._before})
        self._from_ms = at_ms
        self._begin()
        starts = [at_ms] if goes_on else [start for start in self._starts if start >= at_ms]
        self._starts.clear()
        for start in starts:
            records += self._speech_started(start)
        return records

    def _item(self, transcript: str | None) -> Record:
        content = [{"type": "input_audio", "transcript": transcript}]
        return {
            "id": self._id, "object": "realtime.item", "type": "message", "status": "completed", "role": "user",
            "content": content,
        }  # fmt: skip

    def _languages(self) -> list[str]:
        """Short codes of the words' languages, the most frequent first."""
        codes = [LANGUAGES[word.lang].alpha2 or word.lang for word in self._words if word.lang is not None]
        return sorted(dict.fromkeys(codes), key=lambda code: -codes.count(code))


def _logprobs(words: Sequence[wire.WordInfo]) -> list[Record]:
    """Log probabilities, with words in the place of tokens."""
    return [
        {
            "token": word.text,
            "logprob": math.log(max(word.conf, _LEAST_PROBABILITY)),
            "bytes": list(word.text.encode()),
        }
        for word in words
    ]
