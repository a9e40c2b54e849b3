"""`/v1/realtime?intent=transcription`: OpenAI's realtime transcription sessions, in the current and the beta form.

An item is a segment, or with `turn_detection: null` the audio between two commits. Its deltas only add words that will
not change; joined, they are its transcript. Model, prompt, threshold, padding and noise reduction are accepted and
ignored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.protocols.openai_events import InvalidEvent, SessionEvents, audio_of, convert, failed, messages_of
from serve.protocols.openai_items import FlushReason, Items
from serve.protocols.openai_sessions import BETA_FORMATS, GivenSession, GivenUpdate, InputSettings, check_language

_REFUSED_UPDATES = ("bad_config", "unknown_language")
"""Errors that replace `updated`."""


class _Asked(NamedTuple):
    """Settings that were asked for, and whether in the beta form."""

    settings: InputSettings
    beta: bool

    def to_dict(self, session: str) -> dict[str, Any]:
        """The object of a session with this id."""
        settings = self.settings
        parts = msgspec.to_builtins(settings)
        if self.beta:
            formats = [name for name, known in BETA_FORMATS.items() if known == settings.format]
            return {
                "id": session,
                "object": "realtime.transcription_session",
                "input_audio_format": formats[0] if formats else "pcm16",
                "input_audio_transcription": parts["transcription"],
                "input_audio_noise_reduction": parts["noise_reduction"],
                "turn_detection": parts["turn_detection"],
                "include": parts["include"],
            }
        include = parts.pop("include")
        return {
            "id": session,
            "object": "realtime.transcription_session",
            "type": "transcription",
            "audio": {"input": {**parts, "format": settings.format.to_dict()}},
            "include": include,
        }


class OpenAiRealtime:
    """Adapter of one connection. The session starts with the first audio, so the format can be set before.

    Args:
        languages: codes of the languages that the model knows.
        events: of a session that has begun as another; None: a new one.
    """

    resumable = False

    def __init__(self, languages: Collection[str], events: SessionEvents | None = None) -> None:
        self._known = languages
        self._events = events or SessionEvents()
        self._settings = InputSettings()
        self._asked: deque[_Asked] = deque()
        self._items = Items()
        self._begun = self._fresh = False

    def greet(self) -> list[wire.Frame]:
        """`session.created` with the default settings."""
        return [self._events.write(self._described("created", _Asked(self._settings, False)))]

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes | Reply]:
        """Convert an event into messages; see `messages_of`."""
        return messages_of(frame, self.meaning, self._events.write)

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """Convert a message into events."""
        records = self._items.take(message)
        if isinstance(message, wire.Updated):
            asked = self._asked.popleft()
            self._configure(asked)
            records.append(self._described("updated", asked))
        elif isinstance(message, wire.Error):
            if message.code in _REFUSED_UPDATES and self._asked:
                self._asked.popleft()
            records.append(failed(message))
        return [self._events.write(record) for record in records]

    def meaning(self, event: dict[str, Any]) -> list[wire.ClientMessage | bytes | Reply]:
        """Convert a decoded event into messages. Raises InvalidEvent."""
        kind = event.get("type")
        if kind == "input_audio_buffer.append":
            return self._append(event)
        if kind == "input_audio_buffer.commit":
            if not self._fresh:
                raise InvalidEvent("input_audio_buffer_commit_empty", "there is no audio to commit")
            return self._flush(FlushReason.commit)
        if kind == "input_audio_buffer.clear":
            return self._flush(FlushReason.clear) if self._begun else [Reply(self._events.write(_CLEARED))]
        if kind in ("session.update", "transcription_session.update"):
            return self._update(convert(event, GivenUpdate).session, beta=kind != "session.update")
        if isinstance(kind, str) and kind.partition(".")[0] in ("response", "conversation", "output_audio_buffer"):
            raise InvalidEvent("not_supported", f"{kind}: this server transcribes and does not answer", "type")
        raise InvalidEvent("invalid_value", f"there is no event {kind!r}", "type")

    def _append(self, event: dict[str, Any]) -> list[wire.ClientMessage | bytes | Reply]:
        settings = self._settings
        data = audio_of(event, whole=settings.format.type == "audio/pcm")
        if not data:
            return []
        self._fresh = True
        if self._begun:
            return [data]
        self._begun = True
        start = wire.StartMessage(
            audio=settings.format.params(),
            languages=settings.languages(),
            endpointing=settings.endpointing(),
            plain=settings.plain,
            interim="append",
        )
        return [start, data]

    def _flush(self, kind: FlushReason) -> list[wire.ClientMessage | bytes | Reply]:
        self._fresh = False
        self._items.flushes.append(kind)
        return [wire.Finalize()]

    def _update(self, session: GivenSession, *, beta: bool) -> list[wire.ClientMessage | bytes | Reply]:
        if session.type not in (UNSET, "transcription"):
            raise InvalidEvent("not_supported", f"type {session.type!r}: sessions here transcribe", "session.type")
        settings = self._settings.changed(session)
        if self._begun and settings.format.params() != self._settings.format.params():
            raise InvalidEvent(
                "audio_format_fixed", "the format can be set before the first audio only", "session.audio"
            )
        for name in settings.languages():
            check_language(name, self._known)
        self._settings = settings
        asked = _Asked(settings, beta)
        if self._begun:
            self._asked.append(asked)
            endpointing, plain = settings.endpointing(), settings.plain
            return [wire.Update(languages=settings.languages(), endpointing=endpointing, plain=plain)]
        self._configure(asked)
        return [Reply(self._events.write(self._described("updated", asked)))]

    def _configure(self, asked: _Asked) -> None:
        settings = asked.settings
        self._items.configure(manual=settings.turn_detection is None, beta=asked.beta, logprobs=settings.logprobs)

    def _described(self, what: str, asked: _Asked) -> dict[str, Any]:
        kind = f"transcription_session.{what}" if asked.beta else f"session.{what}"
        return {"type": kind, "session": asked.to_dict(self._events.session)}


_CLEARED = {"type": "input_audio_buffer.cleared"}
