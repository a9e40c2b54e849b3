"""The bytes of one session on their way to samples; what is not quick is decoded beside the event loop."""

from __future__ import annotations

import numpy as np

from serve.protocols import wire
from speech.audio.input.pcm import AudioFormat, Encoding, PcmDecoder
from speech.errors import SpeechError

_SAMPLES = (Encoding.pcm_s16le, Encoding.pcm_f32le, Encoding.mulaw, Encoding.alaw)
_QUICK_BYTES = 32_768


class Intake:
    """Of one session.

    Args:
        audio: how its bytes are to be read. Raises AudioError if they cannot be.

    Attributes:
        received_bytes: that have been accepted; a client need not send them again.
        decoding: a message has been accepted, and what comes of it is not known yet.
    """

    def __init__(self, audio: wire.AudioParams) -> None:
        encoding = Encoding(audio.encoding)
        self._samples = encoding in _SAMPLES
        self._decoder = PcmDecoder(
            AudioFormat(encoding=encoding, sample_rate=audio.sample_rate, channels=audio.channels)
        )
        self.received_bytes = 0
        self.decoding = False

    def accept(self, data: bytes) -> None:
        """A message that is to be decoded now."""
        self.received_bytes += len(data)
        self.decoding = True

    def quick(self, data: bytes) -> bool:
        """Whether to decode a message takes so little that the event loop can do it."""
        return self._samples and len(data) <= _QUICK_BYTES

    def decode(self, data: bytes) -> np.ndarray | SpeechError:
        """The samples of a message, or why there are none. On any thread, one call at a time."""
        try:
            return self._decoder.decode(data)
        except SpeechError as error:
            return error

    def finish(self) -> np.ndarray:
        """What was held back. Raises AudioError if the audio ends within something."""
        return self._decoder.finish()
