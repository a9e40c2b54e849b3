"""Replies in the rates and encodings of clients: pieces sound as the whole."""

import numpy as np
import pytest
import soxr

from serve.protocols import wire
from serve.protocols.reply_sound import ReplySound
from speech.audio.input.pcm import Encoding, g711_values
from speech.audio.output import int16_samples

RATE = 24_000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE).astype(np.float32)
PCM = int16_samples(TONE).tobytes()


def heard(encoding: str, rate: int, piece: int = 1000) -> bytes:
    sound = ReplySound(RATE, wire.AudioParams(encoding, rate))  # type: ignore[arg-type]
    return b"".join(sound.encode(PCM[n : n + piece]) for n in range(0, len(PCM), piece)) + sound.finish()


def test_at_the_rate_of_the_voice_nothing_is_changed():
    assert heard("pcm_s16le", RATE) == PCM


@pytest.mark.parametrize(("encoding", "rate"), [("pcm_s16le", 48_000), ("mulaw", 8000), ("alaw", 8000)])
def test_another_rate_and_encoding_sounds_the_same(encoding, rate):
    found = heard(encoding, rate)
    if encoding == "pcm_s16le":
        samples = np.frombuffer(found, "<i2") / np.float32(32767)
    else:
        samples = g711_values(Encoding(encoding))[np.frombuffer(found, np.uint8)]
    expected = soxr.resample(TONE, RATE, rate)
    assert abs(len(samples) - len(expected)) <= 1
    inner = slice(rate // 100, rate // 3)
    error = samples[inner] - expected[inner]
    assert 10 * np.log10(np.mean(expected[inner] ** 2) / np.mean(error**2)) > (60 if encoding == "pcm_s16le" else 30)


def test_the_size_of_pieces_changes_nothing():
    assert heard("mulaw", 8000, 2) == heard("mulaw", 8000, len(PCM))
