"""`/v1/realtime/translations`: OpenAI's realtime translation sessions: text, and speech where there is a voice for it.

The translation is written while the speaker goes on and is never taken back: its deltas, joined, are the text. Model,
noise reduction and the transcription's model are accepted and ignored; `translation` of the session, the options of the
native protocol, is an extension of ours.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.protocols.appended_text import AppendedText
from serve.protocols.interpreting_messages import Interpreting, TranslationAudio
from serve.protocols.openai_events import InvalidEvent, audio_of, convert, failed, messages_of
from serve.protocols.reply_sound import ReplySound
from serve.sessions.options import Facts, Refused, prepare
from speech.choices import PolicyName
from speech.errors import LanguageError
from speech.stream.options import StreamOptions
from speech.text.languages import ENGLISH, LANGUAGES, resolve

_RATE = 24_000
"""Hz of the audio, PCM16 mono."""
_LANGUAGE = "session.audio.output.language"


class _TranslatedInput(Struct):
    """`session.audio.input`; fields that are not given stay unchanged."""

    transcription: dict[str, Any] | UnsetType | None = UNSET
    noise_reduction: dict[str, Any] | UnsetType | None = UNSET


class _TranslatedOutput(Struct):
    language: str | UnsetType | None = UNSET


class _TranslatedAudio(Struct):
    input: _TranslatedInput = msgspec.field(default_factory=_TranslatedInput)
    output: _TranslatedOutput = msgspec.field(default_factory=_TranslatedOutput)


class _TranslationFields(Struct):
    """`session` of an update."""

    type: str = "translation"
    audio: _TranslatedAudio = msgspec.field(default_factory=_TranslatedAudio)
    translation: wire.Translating | UnsetType | None = UNSET


class _TranslationUpdate(Struct):
    session: _TranslationFields


class _TranslationSettings(Struct, frozen=True):
    """The settings in effect."""

    target: str
    """ISO 639-3 code."""
    translation: wire.Translating | None = None
    """None: the default policy, or complete parts if the target is not drafted."""
    transcription: dict[str, Any] | None = None
    noise_reduction: dict[str, Any] | None = None

    def policy(self, facts: Facts) -> wire.Translating:
        """When the translation is written. It is always appended: what has been sent as a delta stays."""
        if self.translation is not None:
            return msgspec.structs.replace(self.translation, append=True)
        policy = PolicyName.align_att if self.target in facts.drafts_into else PolicyName.complete
        return wire.Translating(policy, append=True)

    def interpret(self, speaks: Callable[[str], bool]) -> Interpreting | None:
        """How it is said; None: the server's voice does not have the language."""
        return Interpreting(self.target) if speaks(self.target) else None


class OpenAiTranslations:
    """Adapter of one connection. The session starts with the first audio.

    Args:
        facts: of the server.
        model: that the client has named.
        speaks: whether the server's voice has a language, by its ISO 639-3 code.
    """

    resumable = False

    def __init__(self, facts: Facts, model: str = "", speaks: Callable[[str], bool] = lambda code: False) -> None:
        self._facts, self._model, self._speaks = facts, model or facts.model.id, speaks
        self._id = f"sess_{secrets.token_hex(10)}"
        self._expires = int(time.time() + facts.config.max_session_s)
        self._settings = _TranslationSettings(ENGLISH if ENGLISH in facts.targets else next(iter(facts.targets), ""))
        self._asked: deque[_TranslationSettings] = deque()
        self._shown = self._settings
        """Settings that the session has confirmed."""
        self._source, self._target = AppendedText(), AppendedText()
        self._sound: ReplySound | None = None
        self._audio_ms = 0
        self._begun = False
        self._count = 0

    def greet(self) -> list[wire.Frame]:
        """`session.created` with the default settings.

        Raises:
            Refused: if the model does not translate.
        """
        if not self._facts.targets:
            text = "this server's model does not translate; /v1/realtime?intent=transcription writes what is said"
            raise Refused("no_translation", text, wire.CloseCode.bad_config)
        return [self._event(self._described("session.created", self._settings))]

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes | Reply]:
        """Convert an event into messages; see `messages_of`."""
        return messages_of(frame, self._meaning, self._event)

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """Convert a message into events."""
        records: list[dict[str, Any]] = []
        if isinstance(message, wire.Translation):
            delta = self._target.grown(message.segment, message.text, message.target)
            records += _deltas("output", delta, message.audio_ms)
            self._audio_ms = message.audio_ms
        elif isinstance(message, TranslationAudio):
            records += self._audible(message)
        elif isinstance(message, wire.TranscriptMessage):
            delta = self._source.added(message.segment, message.delta or "")
            wanted = self._shown.transcription is not None
            records += _deltas("input", delta, message.audio_ms) if wanted else []
        elif isinstance(message, wire.Updated):
            self._shown = self._asked.popleft()
            records.append(self._described("session.updated", self._shown))
        elif isinstance(message, wire.Error):
            if self._asked and message.code in ("bad_config", "unknown_language"):
                self._asked.popleft()
            records.append(failed(message))
        elif isinstance(message, wire.End):
            records += [] if self._sound is None else self._said(self._sound.finish())
            records.append({"type": "session.closed"})
        return [self._event(record) for record in records]

    def _audible(self, message: TranslationAudio) -> list[dict[str, Any]]:
        """Samples of our voice, at the rate of the session."""
        if self._sound is None:
            self._sound = ReplySound(message.sample_rate, wire.AudioParams("pcm_s16le", _RATE))
        return self._said(self._sound.encode(message.pcm or b""))

    def _said(self, pcm: bytes) -> list[dict[str, Any]]:
        audio = {"delta": base64.b64encode(pcm).decode(), "sample_rate": _RATE, "channels": 1, "format": "pcm16"}
        return [{"type": "session.output_audio.delta", **audio, "elapsed_ms": self._audio_ms}] if pcm else []

    def _meaning(self, event: dict[str, Any]) -> list[wire.ClientMessage | bytes | Reply]:
        kind = event.get("type")
        if kind == "session.input_audio_buffer.append":
            data = audio_of(event, whole=True)
            return [*self._opening(), data] if data else []
        if kind == "session.close":
            return [*self._opening(), wire.Stop()]
        if kind == "session.update":
            return self._update(convert(event, _TranslationUpdate).session)
        raise InvalidEvent("invalid_value", f"there is no event {kind!r} in translation sessions", "type")

    def _opening(self) -> list[wire.ClientMessage | bytes | Reply]:
        """What begins the session, unless it has begun."""
        if self._begun:
            return []
        self._begun = True
        settings = self._settings
        return [
            wire.StartMessage(
                audio=wire.AudioParams("pcm_s16le", _RATE),
                targets=[settings.target],
                translation=settings.policy(self._facts),
                interim="append",
                words=False,
                vad_events=False,
                interpret=settings.interpret(self._speaks),
            )
        ]

    def _update(self, session: _TranslationFields) -> list[wire.ClientMessage | bytes | Reply]:
        if session.type != "translation":
            raise InvalidEvent("not_supported", f"type {session.type!r}: sessions here translate", "session.type")
        given, language = session.audio.input, session.audio.output.language
        changes = {
            "target": self._code(language) if language else UNSET,
            "translation": session.translation,
            "transcription": given.transcription,
            "noise_reduction": given.noise_reduction,
        }
        kept = {key: value for key, value in changes.items() if value is not UNSET}
        settings = msgspec.structs.replace(self._settings, **kept)
        policy, said = settings.policy(self._facts), settings.interpret(self._speaks)
        update = wire.Update(targets=[settings.target], translation=policy, interpret=said)
        try:
            prepare(self._facts, StreamOptions(), update)
        except Refused as refused:
            raise InvalidEvent("invalid_value", refused.message, f"session.{refused.param}") from refused
        self._settings = settings
        if self._begun:
            self._asked.append(settings)
            return [update]
        self._shown = settings
        return [Reply(self._event(self._described("session.updated", settings)))]

    def _code(self, language: str) -> str:
        """ISO 639-3 code of a target that the model offers. Raises InvalidEvent."""
        try:
            code = resolve(language).code
        except LanguageError as error:
            raise InvalidEvent("invalid_value", str(error), _LANGUAGE) from error
        if code not in self._facts.targets:
            text = f"{language[:80]!r}; this server's model translates into: {', '.join(self._facts.targets)}"
            raise InvalidEvent("invalid_value", text, _LANGUAGE)
        return code

    def _described(self, kind: str, settings: _TranslationSettings) -> dict[str, Any]:
        language = LANGUAGES[settings.target].alpha2 or settings.target
        given = {"transcription": settings.transcription, "noise_reduction": settings.noise_reduction}
        session = {
            "id": self._id,
            "type": "translation",
            "model": self._model,
            "expires_at": self._expires,
            "audio": {"input": given, "output": {"language": language}},
            "translation": msgspec.to_builtins(settings.policy(self._facts)),
        }
        return {"type": kind, "session": session}

    def _event(self, record: dict[str, Any]) -> str:
        self._count += 1
        return msgspec.json.encode({"event_id": f"event_{self._id[5:]}_{self._count}", **record}).decode()


def _deltas(what: str, delta: str, audio_ms: int) -> list[dict[str, Any]]:
    return [{"type": f"session.{what}_transcript.delta", "delta": delta, "elapsed_ms": audio_ms}] if delta else []
