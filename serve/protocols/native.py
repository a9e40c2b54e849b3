"""`/v1/stream`: adapter of the native protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from serve.protocols import wire
from serve.protocols.dialogue_messages import ReplyAudio
from serve.protocols.interpreting_messages import TranslationAudio
from serve.sessions.options import Refused

_AUDIO_KEYS = ("encoding", "sample_rate", "channels")
_LISTS = ("languages", "targets", "phrases")
_NOT_OPTIONS = ("token", "session")


class Native:
    """Passes messages through; audio without `start` starts a session with the options of the URL.

    Args:
        query: parameters of the URL.
        max_json: maximum length of a text message in characters.
    """

    resumable = True

    def __init__(self, query: Mapping[str, str], max_json: int) -> None:
        self._query, self._max_json = query, max_json
        self._begun = False

    def greet(self) -> list[wire.Frame]:
        """No frames: the client sends first."""
        return []

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes]:
        """Convert a frame into messages.

        Raises:
            Refused: the frame is invalid or too long.
        """
        if isinstance(frame, bytes):
            opening = [] if self._begun else [from_query(self._query)]
            self._begun = True
            return [*opening, frame]
        if len(frame) > self._max_json:
            text = f"a text message of {len(frame)} characters, at most {self._max_json}"
            raise Refused("too_big", text, wire.CloseCode.too_big)
        try:
            message = wire.parse(frame)
        except wire.BadMessage as error:
            raise Refused("bad_message", str(error), wire.CloseCode.bad_message) from error
        self._begun = True
        return [message]

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """Render a message as one frame, and audio as a second one."""
        if isinstance(message, ReplyAudio | TranslationAudio) and message.pcm is not UNSET:
            return [wire.render(msgspec.structs.replace(message, pcm=UNSET)), message.pcm]
        return [wire.render(message)]


def from_query(query: Mapping[str, str]) -> wire.StartMessage:
    """Build `start` from a URL such as `?languages=eng,spa&sample_rate=8000`, for clients that only send audio.

    Raises:
        Refused: a key is unknown or a value invalid.
    """
    record: dict[str, Any] = {"type": "start", "audio": {}}
    for key, value in query.items():
        if key in _NOT_OPTIONS:
            continue
        if key in _AUDIO_KEYS:
            record["audio"][key] = value
        else:
            record[key] = value.split(",") if key in _LISTS else value
    try:
        return msgspec.convert(record, wire.StartMessage, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("bad_config", f"query: {error}", wire.CloseCode.bad_config) from error
