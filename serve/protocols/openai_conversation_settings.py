"""Settings of OpenAI's realtime sessions that answer: as clients give them, and as they are in effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.protocols import wire
from serve.protocols.dialogue_messages import Conversing
from serve.protocols.openai_events import InvalidEvent
from serve.protocols.openai_sessions import (
    BETA_FORMATS,
    BetaFormat,
    GivenAudio,
    GivenSession,
    InputSettings,
    RealtimeFormat,
    SemanticVad,
    either,
)
from serve.protocols.openai_speech import NamedVoice
from speech.errors import SpeechError

VoiceChooser = Callable[[str, str], str]
"""Our voice of a client's name for one, given a language that is spoken; raises SpeechError."""

_LEAD_MS = 200
"""Audio that a client may have and not have played: it drops that when somebody speaks, and cannot be sent it again."""
_PAUSES = {"low": (500, 900, 2500), "medium": (250, 500, 1200), "auto": (250, 500, 1200), "high": (200, 300, 700)}
"""Pauses that end a turn which is surely over, may be, and surely is not, in milliseconds."""
_Instructions = Annotated[str, Meta(max_length=20_000)]
_Speed = Annotated[float, Meta(ge=0.5, le=2.0)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]


class OfferedFunction(Struct, frozen=True, omit_defaults=True):
    """A function that may be called."""

    name: _Name
    type: Literal["function"] = "function"
    description: str | None = None
    parameters: dict[str, Any] | None = None

    def to_chat(self) -> dict[str, Any]:
        """As chat completions have it."""
        return {"type": "function", "function": msgspec.to_builtins(self)}

    def to_dict(self) -> dict[str, Any]:
        """As clients of realtime sessions see it."""
        return {"type": "function", **msgspec.to_builtins(self)}


class GivenOutput(Struct):
    """`session.audio.output`."""

    format: RealtimeFormat | UnsetType = UNSET
    voice: str | NamedVoice | UnsetType = UNSET
    speed: _Speed | UnsetType = UNSET


class GivenBothWays(GivenAudio):
    """`session.audio` of a session that answers."""

    output: GivenOutput = msgspec.field(default_factory=GivenOutput)


class GivenConversation(GivenSession, kw_only=True):
    """`session` of one that answers; fields that are not given stay unchanged. Those behind `tool_choice` are the
    beta's."""

    audio: GivenBothWays = msgspec.field(default_factory=GivenBothWays)
    instructions: _Instructions | UnsetType | None = UNSET
    output_modalities: list[str] | UnsetType | None = UNSET
    tools: Annotated[list[OfferedFunction], Meta(max_length=128)] | UnsetType | None = UNSET
    tool_choice: str | dict[str, Any] | UnsetType | None = UNSET
    modalities: list[str] | UnsetType | None = UNSET
    voice: str | UnsetType | None = UNSET
    speed: _Speed | UnsetType = UNSET
    output_audio_format: BetaFormat | UnsetType = UNSET


class GivenConversationUpdate(Struct):
    """`session.update` of a session that answers."""

    session: GivenConversation


class ConversationSettings(Struct, frozen=True):
    """The settings in effect."""

    input: InputSettings = InputSettings()
    output_format: RealtimeFormat = RealtimeFormat()
    voice: str = ""
    """As the client calls it; empty: that of the language which is spoken."""
    our_voice: str = ""
    speed: float = 1.0
    instructions: str = ""
    tools: tuple[OfferedFunction, ...] = ()
    tool_choice: str | dict[str, Any] = "auto"

    def changed(self, session: GivenConversation, choose: VoiceChooser) -> ConversationSettings:
        """These settings with the changes of an update.

        Raises:
            InvalidEvent: if there is no such voice, or answers without sound are asked for.
        """
        given, beta_format = session.audio.output, session.output_audio_format
        check_modalities(either(session.output_modalities, session.modalities), "session.output_modalities")
        voice = either(given.voice, session.voice)
        changes = {
            "output_format": BETA_FORMATS[beta_format] if beta_format is not UNSET else given.format,
            "voice": voice.id if isinstance(voice, NamedVoice) else voice,
            "speed": either(given.speed, session.speed),
            "instructions": session.instructions,
            "tools": session.tools if session.tools is UNSET else tuple(session.tools or ()),
            "tool_choice": session.tool_choice,
        }
        usual = {"voice": "", "instructions": "", "tool_choice": "auto"}
        kept = {name: usual[name] if value is None else value for name, value in changes.items() if value is not UNSET}
        settings = msgspec.structs.replace(self, input=self.input.changed(session), **kept)
        return msgspec.structs.replace(settings, our_voice=settings.chosen(choose))

    def chosen(self, choose: VoiceChooser) -> str:
        """Our voice. Raises InvalidEvent if there is none of that name."""
        spoken = self.input.languages()
        try:
            return choose(self.voice, spoken[0] if spoken else "eng") if self.voice else ""
        except SpeechError as error:
            raise InvalidEvent("invalid_value", str(error), "session.audio.output.voice") from error

    @property
    def automatic(self) -> bool:
        """Whether the end of a turn is answered."""
        turns = self.input.turn_detection
        return turns is not None and turns.create_response is not False

    def pauses(self) -> tuple[int, int, int]:
        """Pauses that end a turn which is surely over, may be, and surely is not, in milliseconds."""
        turns = self.input.turn_detection
        if isinstance(turns, SemanticVad):
            return _PAUSES[turns.eagerness]
        return (turns.silence_duration_ms,) * 3 if turns is not None else _PAUSES["auto"]

    def endpointing(self) -> wire.Endpointing:
        """Rules that end a segment: where ends of turns are answered, it ends as soon as a turn may."""
        return wire.Endpointing(silence_ms=self.pauses()[0]) if self.automatic else self.input.endpointing()

    def dialogue(self) -> Conversing:
        """How the server answers."""
        (sure_ms, pause_ms, doubtful_ms), turns = self.pauses(), self.input.turn_detection
        return Conversing(
            voice=self.our_voice,
            rate=self.speed,
            instructions=self.instructions,
            tools=[tool.to_chat() for tool in self._allowed()],
            automatic=self.automatic,
            interruptible=turns is not None and turns.interrupt_response is not False,
            turn_model=isinstance(turns, SemanticVad),
            pause_ms=pause_ms,
            sure_pause_ms=sure_ms,
            doubtful_pause_ms=doubtful_ms,
            lead_ms=_LEAD_MS,
            forgets=False,
        )

    def to_dict(self, session: str, model: str) -> dict[str, Any]:
        """The session object."""
        parts = msgspec.to_builtins(self.input)
        include = parts.pop("include")
        turns = parts["turn_detection"]
        if turns is not None:
            turns = {"create_response": True, "interrupt_response": True, **turns}
        return {
            "id": session,
            "object": "realtime.session",
            "type": "realtime",
            "model": model,
            "output_modalities": ["audio"],
            "instructions": self.instructions,
            "tools": [tool.to_dict() for tool in self.tools],
            "tool_choice": self.tool_choice,
            "max_output_tokens": "inf",
            "audio": {
                "input": {**parts, "format": self.input.format.to_dict(), "turn_detection": turns},
                "output": {**self.output(), "speed": self.speed},
            },
            "include": include,
        }

    def output(self) -> dict[str, Any]:
        """`audio.output` of a response."""
        return {"format": self.output_format.to_dict(), "voice": self.voice or None}

    def _allowed(self) -> list[OfferedFunction]:
        """Functions that may be called; what has to be called cannot be asked for."""
        if self.tool_choice == "none":
            return []
        only = self.tool_choice.get("name") if isinstance(self.tool_choice, dict) else None
        return [tool for tool in self.tools if only in (None, tool.name)]


def check_modalities(given: list[str] | UnsetType | None, param: str) -> None:
    """Raises InvalidEvent if answers without sound are asked for."""
    if given is not UNSET and given is not None and "audio" not in given:
        raise InvalidEvent("not_supported", f"{given[:4]}: this server answers aloud", param)
