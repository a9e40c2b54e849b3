"""`/v1/realtime?intent=transcription`: OpenAI's realtime transcription sessions, in the current and the beta form.

An item is a segment, or with `turn_detection: null` the audio between two commits. Its deltas only add words that will
not change; joined, they are its transcript. Model, prompt, threshold, padding and noise reduction are accepted and
ignored.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Collection
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.protocols.openai_events import InvalidEvent, audio_of, convert, failed, messages_of
from serve.protocols.openai_items import FlushReason, Items
from speech.errors import LanguageError
from speech.text.languages import resolve

_LOGPROBS = "item.input_audio_transcription.logprobs"
_REFUSED_UPDATES = ("bad_config", "unknown_language")
"""Errors that replace `updated`."""
_SEMANTIC_MS = {"low": 1000, "medium": 500, "auto": 500, "high": 300}


class _Format(Struct, frozen=True):
    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: Annotated[int, Meta(ge=8000, le=48000)] = 24_000
    """Hz. OpenAI allows only 24000. Ignored for the other types, which have 8000."""

    def params(self) -> wire.AudioParams:
        if self.type == "audio/pcm":
            return wire.AudioParams("pcm_s16le", self.rate)
        return wire.AudioParams("mulaw" if self.type == "audio/pcmu" else "alaw", 8000)


_BETA_FORMATS = {"pcm16": _Format(), "g711_ulaw": _Format("audio/pcmu"), "g711_alaw": _Format("audio/pcma")}


class _Transcription(Struct, frozen=True, omit_defaults=True):
    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    prompt: str | None = None
    plain: bool = False
    """An extension of ours: texts without capitals and punctuation."""


class _ServerVad(Struct, frozen=True, tag="server_vad"):
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Meta(ge=0)] = 300
    silence_duration_ms: Annotated[int, Meta(ge=100, le=5000)] = 500


class _SemanticVad(Struct, frozen=True, tag="semantic_vad"):
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"


class _Input(Struct):
    """`session.audio.input`; fields that are not given stay unchanged."""

    format: _Format | UnsetType = UNSET
    transcription: _Transcription | UnsetType | None = UNSET
    turn_detection: _ServerVad | _SemanticVad | UnsetType | None = UNSET
    noise_reduction: dict[str, Any] | UnsetType | None = UNSET


class _Audio(Struct):
    input: _Input = msgspec.field(default_factory=_Input)


class _Session(Struct):
    """`session` in both forms: `audio` is the current one; `input_audio_...` and `turn_detection` are the beta's."""

    type: str = "transcription"
    audio: _Audio = msgspec.field(default_factory=_Audio)
    include: list[str] | UnsetType | None = UNSET
    input_audio_format: Literal["pcm16", "g711_ulaw", "g711_alaw"] | UnsetType = UNSET
    input_audio_transcription: _Transcription | UnsetType | None = UNSET
    input_audio_noise_reduction: dict[str, Any] | UnsetType | None = UNSET
    turn_detection: _ServerVad | _SemanticVad | UnsetType | None = UNSET


class _SessionUpdate(Struct):
    session: _Session


class _Settings(Struct, frozen=True):
    """The settings in effect."""

    format: _Format = _Format()
    transcription: _Transcription | None = None
    turn_detection: _ServerVad | _SemanticVad | None = _ServerVad()
    noise_reduction: dict[str, Any] | None = None
    include: list[str] | None = None

    def changed(self, session: _Session) -> _Settings:
        """Return these settings with the changes of an update."""
        given = session.audio.input
        beta_format = session.input_audio_format
        changes = {
            "format": _BETA_FORMATS[beta_format] if beta_format is not UNSET else given.format,
            "transcription": _either(given.transcription, session.input_audio_transcription),
            "turn_detection": _either(given.turn_detection, session.turn_detection),
            "noise_reduction": _either(given.noise_reduction, session.input_audio_noise_reduction),
            "include": session.include,
        }
        return msgspec.structs.replace(self, **{key: value for key, value in changes.items() if value is not UNSET})

    def languages(self) -> list[str]:
        """Names of the languages that may be spoken; empty: any."""
        if self.transcription is None:
            return []
        return self.transcription.languages or [name for name in [self.transcription.language] if name]

    @property
    def plain(self) -> bool:
        """Whether texts have no capitals and punctuation."""
        return self.transcription is not None and self.transcription.plain

    def endpointing(self) -> wire.Endpointing:
        """Rules that end a segment."""
        turns = self.turn_detection
        if turns is None:
            return wire.Endpointing(mode="client")
        silence_ms = turns.silence_duration_ms if isinstance(turns, _ServerVad) else _SEMANTIC_MS[turns.eagerness]
        return wire.Endpointing(silence_ms=silence_ms)

    def to_dict(self, session: str, *, beta: bool) -> dict[str, Any]:
        """The session object in the current or the beta form."""
        parts = msgspec.to_builtins(self)
        if beta:
            formats = [name for name, known in _BETA_FORMATS.items() if known == self.format]
            return {
                "id": session,
                "object": "realtime.transcription_session",
                "input_audio_format": formats[0] if formats else "pcm16",
                "input_audio_transcription": parts["transcription"],
                "input_audio_noise_reduction": parts["noise_reduction"],
                "turn_detection": parts["turn_detection"],
                "include": parts["include"],
            }
        if self.format.type != "audio/pcm":
            del parts["format"]["rate"]
        include = parts.pop("include")
        return {
            "id": session,
            "object": "realtime.transcription_session",
            "type": "transcription",
            "audio": {"input": parts},
            "include": include,
        }


class _Asked(NamedTuple):
    """Settings that were asked for, and whether in the beta form."""

    settings: _Settings
    beta: bool


class OpenAiRealtime:
    """Adapter of one connection. The session starts with the first audio, so the format can be set before.

    Args:
        languages: codes of the languages that the model knows.
    """

    resumable = False

    def __init__(self, languages: Collection[str]) -> None:
        self._known = languages
        self._id = f"sess_{secrets.token_hex(10)}"
        self._settings = _Settings()
        self._asked: deque[_Asked] = deque()
        self._items = Items()
        self._begun = self._fresh = False
        self._count = 0

    def greet(self) -> list[wire.Frame]:
        """`session.created` with the default settings."""
        return [self._event(self._described("created", _Asked(self._settings, False)))]

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes | Reply]:
        """Convert an event into messages; see `messages_of`."""
        return messages_of(frame, self._meaning, self._event)

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
        return [self._event(record) for record in records]

    def _meaning(self, event: dict[str, Any]) -> list[wire.ClientMessage | bytes | Reply]:
        kind = event.get("type")
        if kind == "input_audio_buffer.append":
            return self._append(event)
        if kind == "input_audio_buffer.commit":
            if not self._fresh:
                raise InvalidEvent("input_audio_buffer_commit_empty", "there is no audio to commit")
            return self._flush(FlushReason.commit)
        if kind == "input_audio_buffer.clear":
            return self._flush(FlushReason.clear) if self._begun else [Reply(self._event(_CLEARED))]
        if kind in ("session.update", "transcription_session.update"):
            return self._update(convert(event, _SessionUpdate).session, beta=kind != "session.update")
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

    def _update(self, session: _Session, *, beta: bool) -> list[wire.ClientMessage | bytes | Reply]:
        if session.type != "transcription":
            raise InvalidEvent("not_supported", f"type {session.type!r}: sessions here transcribe", "session.type")
        settings = self._settings.changed(session)
        if self._begun and settings.format.params() != self._settings.format.params():
            raise InvalidEvent(
                "audio_format_fixed", "the format can be set before the first audio only", "session.audio"
            )
        for name in settings.languages():
            self._check(name)
        self._settings = settings
        asked = _Asked(settings, beta)
        if self._begun:
            self._asked.append(asked)
            endpointing, plain = settings.endpointing(), settings.plain
            return [wire.Update(languages=settings.languages(), endpointing=endpointing, plain=plain)]
        self._configure(asked)
        return [Reply(self._event(self._described("updated", asked)))]

    def _check(self, name: str) -> None:
        param = "session.audio.input.transcription.language"
        try:
            code = resolve(name).code
        except LanguageError as error:
            raise InvalidEvent("invalid_value", str(error), param) from error
        if code not in self._known:
            raise InvalidEvent("invalid_value", f"the model does not know {code!r}", param)

    def _configure(self, asked: _Asked) -> None:
        settings = asked.settings
        logprobs = _LOGPROBS in (settings.include or [])
        self._items.configure(manual=settings.turn_detection is None, beta=asked.beta, logprobs=logprobs)

    def _described(self, what: str, asked: _Asked) -> dict[str, Any]:
        kind = f"transcription_session.{what}" if asked.beta else f"session.{what}"
        return {"type": kind, "session": asked.settings.to_dict(self._id, beta=asked.beta)}

    def _event(self, record: dict[str, Any]) -> str:
        self._count += 1
        return msgspec.json.encode({"event_id": f"event_{self._id[5:]}_{self._count}", **record}).decode()


_CLEARED = {"type": "input_audio_buffer.cleared"}


def _either[T](first: T | UnsetType, second: T | UnsetType) -> T | UnsetType:
    return second if first is UNSET else first
