"""`/v1/speak`: text in pieces, such as the tokens of a language model, to audio and word times over a websocket.

The client sends JSON: `start`, then `text`, `flush` (say what is there as if the text ended), `cancel` (forget what is
not said yet) and `end`. The server sends `started`, then for each packet its `words` and its samples as binary frames
of 16-bit little-endian PCM, and `flushed`, `cancelled`, `done` or `error`.
"""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct

from serve.protocols.close_codes import CloseCode
from speech.audio.output import int16_samples
from speech.tts.speech_stream import SaidWord


class SpeakStart(Struct, tag="start", kw_only=True, forbid_unknown_fields=True):
    """First message."""

    language: str = "eng"
    voice: str = ""
    rate: float = 1.0
    seed: int = 0


class SpeakText(Struct, tag="text", forbid_unknown_fields=True):
    """More text."""

    text: str


class SpeakFlush(Struct, tag="flush", forbid_unknown_fields=True):
    """Say what is there."""


class SpeakCancel(Struct, tag="cancel", forbid_unknown_fields=True):
    """Forget all text so far."""


class SpeakEnd(Struct, tag="end", forbid_unknown_fields=True):
    """The text is over."""


SpeakMessage = SpeakStart | SpeakText | SpeakFlush | SpeakCancel | SpeakEnd
_DECODER = msgspec.json.Decoder(SpeakMessage)


class SpeakingRefused(Exception):
    """An error that ends the connection, told to the client."""

    def __init__(self, code: str, message: str, close: CloseCode) -> None:
        super().__init__(code, message)
        self.code, self.message, self.close = code, message, close


def parse(frame: str | bytes, longest: int) -> SpeakMessage:
    """A message of the client.

    Args:
        frame: text, or what came as a binary frame.
        longest: maximum characters.

    Raises:
        SpeakingRefused: if it is none.
    """
    if isinstance(frame, bytes):
        raise SpeakingRefused("bad_message", "a binary message, expected JSON", CloseCode.bad_message)
    if len(frame) > longest:
        text = f"a message of {len(frame)} characters, at most {longest}"
        raise SpeakingRefused("too_big", text, CloseCode.too_big)
    try:
        return _DECODER.decode(frame)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SpeakingRefused("bad_message", str(error), CloseCode.bad_message) from error


def words_message(words: tuple[SaidWord, ...]) -> dict[str, object]:
    """The message of words with their times."""
    return {"type": "words", "words": [word.to_dict() for word in words]}


def audio_frames(samples: np.ndarray, most: int) -> list[bytes]:
    """Samples `(n,)` float32 as 16-bit frames of at most `most` samples."""
    whole = int16_samples(samples)
    return [whole[start : start + most].tobytes() for start in range(0, len(whole), most)]
