"""What protocols that take text and send speech have in common: commands of clients, and how they are answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from msgspec import Struct

from serve.protocols.close_codes import CloseCode
from speech.tts.speech_stream import SpeakingOptions, SpeechPacket


class SpeakText(Struct, tag="text", forbid_unknown_fields=True):
    """More text."""

    text: str


class SpeakFlush(Struct, tag="flush", forbid_unknown_fields=True):
    """Say what is there."""


class SpeakCancel(Struct, tag="cancel", forbid_unknown_fields=True):
    """Forget all text so far."""


class SpeakEnd(Struct, tag="end", forbid_unknown_fields=True):
    """The text is over."""


Command = SpeakText | SpeakFlush | SpeakCancel | SpeakEnd
Frame = str | bytes
"""A text or a binary frame of a websocket."""


class SpeakingRefused(Exception):
    """An error that ends the connection, told to the client."""

    def __init__(self, code: str, message: str, close: CloseCode) -> None:
        super().__init__(code, message)
        self.code, self.message, self.close = code, message, close


@dataclass(frozen=True, slots=True)
class Opening:
    """What the first frame of a client asks for."""

    options: SpeakingOptions
    commands: Sequence[Command] = ()
    """What it says besides."""


def decoded[Message](
    decoder: msgspec.json.Decoder[Message], frame: Frame, longest: int, *, wrong: str, too_long: str
) -> Message:
    """A message of a client.

    Args:
        decoder: of the protocol's messages.
        frame: text, or what came as a binary frame.
        longest: maximum characters.
        wrong: the protocol's code for frames that are no message.
        too_long: that for too many characters.

    Raises:
        SpeakingRefused: if it is none.
    """
    if isinstance(frame, bytes):
        raise SpeakingRefused(wrong, "a binary message, expected JSON", CloseCode.bad_message)
    if len(frame) > longest:
        text = f"a message of {len(frame)} characters, at most {longest}"
        raise SpeakingRefused(too_long, text, CloseCode.too_big)
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SpeakingRefused(wrong, str(error), CloseCode.bad_message) from error


class SpeakingProtocol(Protocol):
    """One connection's frames to commands, and speech to frames."""

    def open(self, frame: Frame) -> Opening:
        """Read the first frame.

        Raises:
            SpeakingRefused: if it is wrong.
        """

    def commands(self, frame: Frame) -> Sequence[Command]:
        """Read a later frame.

        Raises:
            SpeakingRefused: if it is wrong.
        """

    def started(self) -> Iterable[Frame]:
        """Once the options have been accepted."""

    def packet(self, packet: SpeechPacket, text: str, start_s: float) -> Iterable[Frame]:
        """Speech.

        Args:
            packet: of samples and words.
            text: all text so far, which the places of words count from.
            start_s: where the samples begin.
        """

    def flushed(self, seconds: float) -> Iterable[Frame]:
        """After all speech of a `SpeakFlush`."""

    def cancelled(self) -> Iterable[Frame]:
        """After a `SpeakCancel`."""

    def done(self, seconds: float) -> Iterable[Frame]:
        """After all speech of a `SpeakEnd`."""

    def refused(self, error: SpeakingRefused) -> Iterable[Frame]:
        """Before the connection is closed with an error."""
