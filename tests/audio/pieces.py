"""What a client sends in pieces, and what a decoder makes of it."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from speech.audio.input.pcm import AudioFormat, Encoding, PcmDecoder
from speech.errors import AudioError
from tests.conftest import CLIPS

CLIP = CLIPS.parent / "ast_es_confbridge-has-joined.ogg"
OGG = CLIP.read_bytes()
TONE = (0.5 * np.sin(2 * np.pi * 300 * np.arange(8000) / 16000)).astype(np.float32)
SIZES = st.lists(st.one_of(st.integers(0, 9), st.integers(1, 5000)), max_size=25)
AUTO, IN_OGG, IN_WEBM, PACKETS, FLOATS = (
    AudioFormat(encoding=Encoding(name)) for name in ("auto", "ogg_opus", "webm_opus", "opus", "pcm_f32le")
)


def messages(data: bytes, format: AudioFormat, sizes: list[int]) -> list[bytes]:
    """Pieces of so many samples (or bytes), then the rest."""
    bounds = [0, *np.minimum(np.cumsum(sizes, dtype=int) * format.frame_bytes, len(data)).tolist(), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def decode(data: bytes, format: AudioFormat, sizes: list[int] | None = None) -> np.ndarray:
    decoder = PcmDecoder(format)
    return np.concatenate([*map(decoder.decode, messages(data, format, sizes or [])), decoder.finish()])


def outcome(data: bytes, format: AudioFormat, sizes: list[int]) -> tuple[np.ndarray, str]:
    """The samples before an error, and the error."""
    decoder, parts = PcmDecoder(format), [np.empty(0, np.float32)]
    try:
        for message in messages(data, format, sizes):
            parts.append(decoder.decode(message))
        parts.append(decoder.finish())
    except AudioError as error:
        return np.concatenate(parts), error.what
    return np.concatenate(parts), ""


def pcm16(samples: np.ndarray) -> bytes:
    return np.rint(samples * 32768).astype("<i2").tobytes()
