"""`/v1/twilio`: telephone calls by Twilio's bidirectional Media Streams; the server answers aloud.

Audio of both sides is mu-law at 8 kHz, in base64. `clear` silences our voice, and a mark follows each reply. Keys that
the caller presses are not looked at, nor are marks that come back.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import soxr
from msgspec import Struct

from serve.protocols import wire
from serve.protocols.dialogue_messages import (
    ReplyAudio,
    ReplyDone,
    ReplyFailedMessage,
    ReplyHeld,
    ReplyStarted,
    ReplyTruncated,
)
from serve.sessions.options import Refused
from speech.audio.output import mu_law_bytes

_ENCODING, _RATE = "audio/x-mulaw", 8000
_PACKET = _RATE // 50
"""Bytes of 20 ms."""
_SILENCE = mu_law_bytes(np.zeros(1, np.float32))
_LEAD_MS = 200
_SPOKEN = ("language", "voice", "instructions")
"""Custom parameters that say how the server answers."""
_LONGEST_ID = 200


class _MediaFormat(Struct, rename="camel"):
    encoding: str = _ENCODING
    sample_rate: int = _RATE
    channels: int = 1


class _CallStream(Struct, rename="camel"):
    """`start` of the event `start`; other fields are ignored."""

    stream_sid: str
    media_format: _MediaFormat = msgspec.field(default_factory=_MediaFormat)
    custom_parameters: dict[str, str] = msgspec.field(default_factory=dict)


class _CallAudio(Struct):
    payload: bytes
    """Base64 in JSON."""
    track: str = "inbound"


class _CallEvent(Struct):
    """An event of Twilio; what is not listed is ignored."""

    event: str
    start: _CallStream | None = None
    media: _CallAudio | None = None


_DECODER = msgspec.json.Decoder(_CallEvent)


class Twilio:
    """One call. The session starts with the event `start`.

    Args:
        max_json: maximum length of a message in characters.
    """

    resumable = False

    def __init__(self, max_json: int) -> None:
        self._max_json = max_json
        self._stream = ""
        self._voice: PhoneVoice | None = None

    def greet(self) -> list[wire.Frame]:
        """No frames: Twilio sends first."""
        return []

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes]:
        """Convert an event into messages; events of unknown names have none.

        Raises:
            Refused: the frame is invalid or too long, the stream has another audio format, a custom parameter is wrong,
                or events are not in order.
        """
        event = self._parsed(frame)
        if event.event == "start":
            return [self._begun(event.start)]
        if event.event == "media":
            return self._heard(event.media)
        return [wire.Stop()] if event.event == "stop" and self._stream else []

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """The audio of replies, and what ends or empties it; nothing else reaches Twilio."""
        if isinstance(message, ReplyStarted):
            self._voice = PhoneVoice(message.sample_rate)
        elif isinstance(message, ReplyAudio) and isinstance(message.pcm, bytes):
            return self._said(message.pcm, last=message.last)
        elif isinstance(message, ReplyHeld | ReplyTruncated):
            if self._voice is not None:  # what comes next begins earlier
                self._voice = PhoneVoice(self._voice.sample_rate)
            return [self._event("clear")]
        elif isinstance(message, ReplyDone | ReplyFailedMessage):
            return [*self._said(b"", last=True), self._event("mark", mark={"name": f"reply-{message.reply}"})]
        return []

    def _parsed(self, frame: wire.Frame) -> _CallEvent:
        if isinstance(frame, bytes):
            raise _bad("a binary message; audio comes in the event media")
        if len(frame) > self._max_json:
            text = f"a message of {len(frame)} characters, at most {self._max_json}"
            raise Refused("too_big", text, wire.CloseCode.too_big)
        try:
            return _DECODER.decode(frame)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            raise _bad(str(error)) from error

    def _begun(self, stream: _CallStream | None) -> wire.StartMessage:
        if stream is None or not 0 < len(stream.stream_sid) <= _LONGEST_ID:
            raise _bad(f"start without a streamSid of 1 to {_LONGEST_ID} characters")
        if self._stream:
            raise _bad("start came before")
        given = stream.media_format
        if (given.encoding, given.sample_rate, given.channels) != (_ENCODING, _RATE, 1):
            text = f"{given.encoding[:40]!r}, {given.sample_rate} Hz, {given.channels} channels"
            raise _misconfigured(f"mediaFormat {text}; expected {_ENCODING}, {_RATE} Hz, 1 channel", "mediaFormat")
        start = _start_of(stream.custom_parameters)
        self._stream = stream.stream_sid
        return start

    def _heard(self, media: _CallAudio | None) -> list[wire.ClientMessage | bytes]:
        if media is None:
            raise _bad("media without its field media")
        if not self._stream:
            raise _bad("media before start")
        heard = media.payload if media.track == "inbound" else b""
        return [heard] if heard else []  # an empty message would end the audio

    def _said(self, pcm: bytes, *, last: bool) -> list[wire.Frame]:
        if self._voice is None:
            return []
        data = self._voice(np.frombuffer(pcm, "<i2").astype(np.float32) / 32767, last=last)
        return [self._event("media", media={"payload": data})] if data else []

    def _event(self, event: str, **fields: object) -> str:
        return msgspec.json.encode({"event": event, "streamSid": self._stream, **fields}).decode()


class PhoneVoice:
    """Turns the samples of a reply, or of what is left of one, into mu-law at 8 kHz.

    Args:
        sample_rate: Hz, of the samples.

    Attributes:
        sample_rate: Hz, of the samples.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._resampler = soxr.ResampleStream(sample_rate, _RATE, 1, "float32")
        self._waiting, self._ended = b"", False

    def __call__(self, samples: np.ndarray, *, last: bool) -> bytes:
        """The whole packets that samples `(n,)` float32 complete; with `last` all, filled up with silence."""
        if self._ended:
            return b""
        self._ended = last
        self._waiting += mu_law_bytes(self._resampler.resample_chunk(samples, last))
        if last:
            self._waiting += _SILENCE * (-len(self._waiting) % _PACKET)
        whole = len(self._waiting) // _PACKET * _PACKET
        data, self._waiting = self._waiting[:whole], self._waiting[whole:]
        return data


def _start_of(parameters: dict[str, str]) -> wire.StartMessage:
    """The `start` of custom parameters; those with other names are ignored."""
    dialogue: dict[str, Any] = {"lead_ms": _LEAD_MS, "forgets": True}
    dialogue |= {name: parameters[name] for name in _SPOKEN if name in parameters}
    named = [name.strip() for name in parameters.get("languages", "").split(",")]
    record = {
        "audio": {"encoding": "mulaw", "sample_rate": _RATE},
        "languages": [name for name in named if name],
        "vad_events": False,
        "words": False,
        "dialogue": dialogue,
    }
    try:
        return msgspec.convert(record, wire.StartMessage)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        name = path.strip("`").rpartition(".")[2].partition("[")[0]
        raise _misconfigured(f"custom parameter {name}: {what}", name) from error


def _bad(text: str) -> Refused:
    return Refused("bad_message", text, wire.CloseCode.bad_message)


def _misconfigured(text: str, param: str) -> Refused:
    return Refused("bad_config", text, wire.CloseCode.bad_config, param)
