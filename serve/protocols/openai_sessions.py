"""Settings of OpenAI's realtime sessions that listen: as clients give them, in either form, and those in effect."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.protocols import wire
from serve.protocols.openai_events import InvalidEvent
from speech.errors import LanguageError
from speech.text.languages import resolve

SEMANTIC_MS = {"low": 1000, "medium": 500, "auto": 500, "high": 300}
"""Pause that ends a segment, by eagerness."""


class RealtimeFormat(Struct, frozen=True):
    """Format of audio in either direction."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: Annotated[int, Meta(ge=8000, le=48000)] = 24_000
    """Hz. OpenAI allows only 24000. Ignored for the other types, which have 8000."""

    def params(self) -> wire.AudioParams:
        """As the native protocol has it."""
        if self.type == "audio/pcm":
            return wire.AudioParams("pcm_s16le", self.rate)
        return wire.AudioParams("mulaw" if self.type == "audio/pcmu" else "alaw", 8000)

    def to_dict(self) -> dict[str, Any]:
        """As clients see it."""
        return {"type": self.type, "rate": self.rate} if self.type == "audio/pcm" else {"type": self.type}


BetaFormat = Literal["pcm16", "g711_ulaw", "g711_alaw"]
BETA_FORMATS: dict[str, RealtimeFormat] = {
    "pcm16": RealtimeFormat(),
    "g711_ulaw": RealtimeFormat("audio/pcmu"),
    "g711_alaw": RealtimeFormat("audio/pcma"),
}


class InputTranscription(Struct, frozen=True, omit_defaults=True):
    """`transcription`; `model` and `prompt` are not looked at."""

    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    prompt: str | None = None
    plain: bool = False
    """An extension of ours: texts without capitals and punctuation."""


class ServerVad(Struct, frozen=True, tag="server_vad"):
    """Pauses end turns. Threshold and padding are not looked at."""

    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Meta(ge=0)] = 300
    silence_duration_ms: Annotated[int, Meta(ge=100, le=5000)] = 500
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET


class SemanticVad(Struct, frozen=True, tag="semantic_vad"):
    """Pauses and the text end turns."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET


TurnDetection = ServerVad | SemanticVad


class GivenInput(Struct):
    """`session.audio.input`; fields that are not given stay unchanged."""

    format: RealtimeFormat | UnsetType = UNSET
    transcription: InputTranscription | UnsetType | None = UNSET
    turn_detection: ServerVad | SemanticVad | UnsetType | None = UNSET
    noise_reduction: dict[str, Any] | UnsetType | None = UNSET


class GivenAudio(Struct):
    """`session.audio` of a session that only listens."""

    input: GivenInput = msgspec.field(default_factory=GivenInput)


class GivenSession(Struct, kw_only=True):
    """`session` of one that only listens: `audio` is the current form; `input_audio_...` and `turn_detection` are the
    beta's."""

    type: str | UnsetType = UNSET
    audio: GivenAudio = msgspec.field(default_factory=GivenAudio)
    include: list[str] | UnsetType | None = UNSET
    input_audio_format: BetaFormat | UnsetType = UNSET
    input_audio_transcription: InputTranscription | UnsetType | None = UNSET
    input_audio_noise_reduction: dict[str, Any] | UnsetType | None = UNSET
    turn_detection: ServerVad | SemanticVad | UnsetType | None = UNSET


class GivenUpdate(Struct):
    """`session.update` of a session that only listens."""

    session: GivenSession


class InputSettings(Struct, frozen=True):
    """How a session listens."""

    format: RealtimeFormat = RealtimeFormat()
    transcription: InputTranscription | None = None
    turn_detection: ServerVad | SemanticVad | None = ServerVad()
    noise_reduction: dict[str, Any] | None = None
    include: list[str] | None = None

    def changed(self, session: GivenSession) -> InputSettings:
        """These settings with the changes of an update."""
        given = session.audio.input
        beta_format = session.input_audio_format
        changes = {
            "format": BETA_FORMATS[beta_format] if beta_format is not UNSET else given.format,
            "transcription": either(given.transcription, session.input_audio_transcription),
            "turn_detection": either(given.turn_detection, session.turn_detection),
            "noise_reduction": either(given.noise_reduction, session.input_audio_noise_reduction),
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

    @property
    def logprobs(self) -> bool:
        """Whether log probabilities of words are asked for."""
        return "item.input_audio_transcription.logprobs" in (self.include or [])

    @property
    def silence_ms(self) -> int | None:
        """Pause that ends a segment; None: the client ends them."""
        turns = self.turn_detection
        if turns is None:
            return None
        return turns.silence_duration_ms if isinstance(turns, ServerVad) else SEMANTIC_MS[turns.eagerness]

    def endpointing(self) -> wire.Endpointing:
        """Rules that end a segment."""
        silence_ms = self.silence_ms
        return wire.Endpointing(mode="client") if silence_ms is None else wire.Endpointing(silence_ms=silence_ms)


def either[T](first: T | UnsetType, second: T | UnsetType) -> T | UnsetType:
    """The first that is given."""
    return second if first is UNSET else first


def check_language(name: str, known: Collection[str]) -> None:
    """Raises InvalidEvent if the model does not know a language that may be spoken."""
    param = "session.audio.input.transcription.language"
    try:
        code = resolve(name).code
    except LanguageError as error:
        raise InvalidEvent("invalid_value", str(error), param) from error
    if code not in known:
        raise InvalidEvent("invalid_value", f"the model does not know {code!r}", param)
