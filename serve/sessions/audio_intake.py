"""Audio input of one session, from bytes to samples; slow decoding runs beside the event loop."""

from __future__ import annotations

import numpy as np

from serve.protocols import wire
from speech.audio.input.pcm import AudioFormat, Encoding, PcmDecoder
from speech.errors import SpeechError

_SAMPLES = (Encoding.pcm_s16le, Encoding.pcm_f32le, Encoding.mulaw, Encoding.alaw)
_QUICK_BYTES = 32_768


class Intake:
    """Decodes the audio of one session.

    Args:
        audio: format of its bytes.

    Attributes:
        received_bytes: number of accepted bytes, which the client need not send again.
        decoding: a message has been accepted and is not decoded yet.

    Raises:
        AudioError: if the format is not supported.
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
        """Count a message, which is to be decoded next."""
        self.received_bytes += len(data)
        self.decoding = True

    def quick(self, data: bytes) -> bool:
        """Whether decoding a message is fast enough for the event loop."""
        return self._samples and len(data) <= _QUICK_BYTES

    def decode(self, data: bytes) -> np.ndarray | SpeechError:
        """Decode a message into samples `(n,)`, or return the error. On any thread, one call at a time."""
        try:
            return self._decoder.decode(data)
        except SpeechError as error:
            return error

    def finish(self) -> np.ndarray:
        """The remaining samples `(n,)`. Raises AudioError if the audio ends within a sample or packet."""
        return self._decoder.finish()
