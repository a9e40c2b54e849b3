"""Client events of OpenAI's realtime protocols: JSON objects that are converted or refused by name."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from serve.net.websocket import Reply
from serve.protocols import wire


class InvalidEvent(Exception):
    """A refused event: error code, message, and the field."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(code, message)
        self.code, self.message, self.param = code, message, param


class _Append(msgspec.Struct):
    audio: str


class SessionEvents:
    """Events of the server in one session, each with an id of its own.

    Attributes:
        session: id of the session, as clients see it.
    """

    def __init__(self) -> None:
        self.session = f"sess_{secrets.token_hex(10)}"
        self._count = 0

    def write(self, record: dict[str, Any]) -> str:
        """The frame of an event."""
        self._count += 1
        return msgspec.json.encode({"event_id": f"event_{self.session[5:]}_{self._count}", **record}).decode()


def decode(frame: wire.Frame) -> dict[str, Any]:
    """Decode a frame as a JSON object. Raises InvalidEvent."""
    if isinstance(frame, bytes):
        raise InvalidEvent("invalid_value", "audio comes as base64 in input_audio_buffer.append")
    try:
        return msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidEvent("invalid_json", str(error)) from error


def messages_of(
    frame: wire.Frame,
    meaning: Callable[[dict[str, Any]], list[wire.ClientMessage | bytes | Reply]],
    event: Callable[[dict[str, Any]], wire.Frame],
) -> list[wire.ClientMessage | bytes | Reply]:
    """Convert a client event into messages. An invalid one is answered with an error and never closes the connection.

    Args:
        frame: the event.
        meaning: the messages of a decoded event; raises InvalidEvent.
        event: writes an event of the server.
    """
    cause: str | None = None
    try:
        given = decode(frame)
        cause = given.get("event_id") if isinstance(given.get("event_id"), str) else None
        return meaning(given)
    except InvalidEvent as refused:
        return [Reply(event(invalid(refused, cause)))]


def convert[T](event: dict[str, Any], kind: type[T]) -> T:
    """Convert an event into `kind`. Raises InvalidEvent, which names the field."""
    try:
        return msgspec.convert(event, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise InvalidEvent("invalid_value", what, path.strip(".`") or None) from error


def audio_of(event: dict[str, Any], *, whole: bool) -> bytes:
    """The audio of an `append` event.

    Args:
        event: with `audio` in base64.
        whole: whether it consists of samples of 16 bits.

    Raises:
        InvalidEvent: if it is not base64, or ends within a sample.
    """
    try:
        data = base64.b64decode(convert(event, _Append).audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidEvent("invalid_value", f"audio is not base64: {error}", "audio") from error
    if whole and len(data) % 2:
        raise InvalidEvent("invalid_value", f"{len(data)} bytes are not whole samples of 16 bits", "audio")
    return data


def invalid(event: InvalidEvent, cause: str | None) -> dict[str, Any]:
    """The error event that answers an invalid one, whose `event_id` is `cause`."""
    return _error("invalid_request_error", event, cause)


def failed(message: wire.Error) -> dict[str, Any]:
    """The error event of an error of the session."""
    param = None if message.param is msgspec.UNSET else message.param
    kind = "server_error" if message.retryable else "invalid_request_error"
    return _error(kind, InvalidEvent(message.code, message.message, param), None)


def _error(kind: str, event: InvalidEvent, cause: str | None) -> dict[str, Any]:
    error = {"type": kind, "code": event.code, "message": event.message, "param": event.param, "event_id": cause}
    return {"type": "error", "error": error}
