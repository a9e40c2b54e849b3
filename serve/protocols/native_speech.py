"""`/v1/speak`: text in pieces, such as the tokens of a language model, to audio and word times over a websocket.

The client sends JSON: `start`, then `text`, `flush` (say what is there as if the text ended), `cancel` (forget what is
not said yet) and `end`. The server sends `started`, then for each packet its `words` and its samples as binary frames
of 16-bit little-endian PCM, and `flushed`, `cancelled`, `done` or `error`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from serve.protocols.close_codes import CloseCode
from serve.protocols.speaking_protocol import (
    Command,
    Frame,
    Opening,
    SpeakCancel,
    SpeakEnd,
    SpeakFlush,
    SpeakingRefused,
    SpeakText,
    decoded,
)
from speech.audio.output import int16_samples
from speech.errors import SpeechError
from speech.tts.speech_stream import SpeakingOptions, SpeechPacket

_FRAME_S = 0.25
"""Audio per binary frame."""


class SpeakStart(Struct, tag="start", kw_only=True, forbid_unknown_fields=True):
    """First message."""

    language: str = "eng"
    voice: str = ""
    rate: float = 1.0
    seed: int = 0


SpeakMessage = SpeakStart | SpeakText | SpeakFlush | SpeakCancel | SpeakEnd
_DECODER = msgspec.json.Decoder(SpeakMessage)


class NativeSpeaking:
    """The native protocol.

    Args:
        longest: maximum characters of a message.
        sample_rate: Hz, of the server's voice.
    """

    def __init__(self, longest: int, sample_rate: int) -> None:
        self._longest, self._rate = longest, sample_rate

    def open(self, frame: Frame) -> Opening:
        first = parse(frame, self._longest)
        if not isinstance(first, SpeakStart):
            raise SpeakingRefused("not_started", "expected start first", CloseCode.bad_message)
        try:
            return Opening(
                SpeakingOptions(language=first.language, voice=first.voice, rate=first.rate, seed=abs(first.seed))
            )
        except SpeechError as error:
            raise SpeakingRefused("bad_config", str(error), CloseCode.bad_config) from error

    def commands(self, frame: Frame) -> Sequence[Command]:
        message = parse(frame, self._longest)
        if isinstance(message, SpeakStart):
            raise SpeakingRefused("bad_message", "a second start", CloseCode.bad_message)
        return [message]

    def started(self) -> Iterable[Frame]:
        yield _json({"type": "started", "sample_rate": self._rate, "encoding": "pcm_s16le"})

    def packet(self, packet: SpeechPacket, text: str, start_s: float) -> Iterator[Frame]:
        if packet.words:
            yield _json({"type": "words", "words": [word.to_dict() for word in packet.words]})
        yield from audio_frames(packet.samples, round(_FRAME_S * self._rate))

    def flushed(self, seconds: float) -> Iterable[Frame]:
        yield _json({"type": "flushed", "seconds": round(seconds, 3)})

    def cancelled(self) -> Iterable[Frame]:
        yield _json({"type": "cancelled"})

    def done(self, seconds: float) -> Iterable[Frame]:
        yield _json({"type": "done", "seconds": round(seconds, 3)})

    def refused(self, error: SpeakingRefused) -> Iterable[Frame]:
        yield _json({"type": "error", "code": error.code, "message": error.message})


def parse(frame: Frame, longest: int) -> SpeakMessage:
    """A message of the client.

    Args:
        frame: text, or what came as a binary frame.
        longest: maximum characters.

    Raises:
        SpeakingRefused: if it is none.
    """
    return decoded(_DECODER, frame, longest, wrong="bad_message", too_long="too_big")


def audio_frames(samples: np.ndarray, most: int) -> list[bytes]:
    """Samples `(n,)` float32 as 16-bit frames of at most `most` samples."""
    whole = int16_samples(samples)
    return [whole[start : start + most].tobytes() for start in range(0, len(whole), most)]


def _json(message: dict[str, object]) -> str:
    return msgspec.json.encode(message).decode()
