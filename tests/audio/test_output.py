"""Writing audio: what is read back is what was written, in each format, in pieces as whole."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.audio.input.files import load_audio
from speech.audio.input.pcm import Encoding, g711_values
from speech.audio.output import MEDIA_TYPES, AudioWriter, a_law_bytes, encoded, mu_law_bytes
from speech.choices import AudioEncoding
from speech.errors import AudioError

RATE = 24000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
LEAST_SNR_DB = {
    AudioEncoding.wav: 60.0, AudioEncoding.flac: 60.0,
    AudioEncoding.mp3: 20.0, AudioEncoding.opus: 15.0, AudioEncoding.aac: 20.0,
}  # fmt: skip


def best_snr_db(written: np.ndarray, read: np.ndarray, most: int = 3000) -> float:
    """The best ratio over delays of the codec."""
    n = len(written) - 2 * most
    inner = written[most : most + n]
    return max(
        10 * np.log10((inner**2).sum() / ((inner - read[most + delay : most + delay + n]) ** 2).sum())
        for delay in range(-most, min(most, len(read) - most - n))
    )


@pytest.mark.parametrize("format", LEAST_SNR_DB)
def test_what_is_written_is_read_back(format, tmp_path):
    path = tmp_path / f"tone.{format}"
    path.write_bytes(encoded(TONE, format, RATE))
    read = load_audio(path, rate=RATE)
    assert abs(len(read) - len(TONE)) < 0.15 * RATE
    assert best_snr_db(TONE, read) > LEAST_SNR_DB[format]


@pytest.mark.parametrize("format", AudioEncoding)
def test_pieces_make_the_same_file_as_the_whole(format):
    file = io.BytesIO()
    with AudioWriter(file, format, RATE) as writer:
        for piece in np.split(TONE, [0, 1, 160, 7000, 7000, 20001]):
            writer.write(piece)
    if format in (AudioEncoding.opus,):  # a random stream number
        assert len(file.getvalue()) == len(encoded(TONE, format, RATE))
    else:
        assert file.getvalue() == encoded(TONE, format, RATE)


def test_raw_samples_are_clipped_and_rounded():
    samples = np.array([0, 0.5, -2, 2], np.float32)
    assert np.frombuffer(encoded(samples, AudioEncoding.pcm, RATE), "<i2").tolist() == [0, 16384, -32767, 32767]


def test_streams_need_no_seeking():
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.got = b""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.got += bytes(data)
            return len(data)

    for format in (AudioEncoding.mp3, AudioEncoding.opus, AudioEncoding.aac, AudioEncoding.pcm):
        pipe = Pipe()
        writer = AudioWriter(pipe, format, RATE)
        writer.write(TONE)
        assert pipe.got, format
        writer.close()


def test_a_rate_that_a_format_lacks_is_refused():
    with pytest.raises(AudioError, match=r"opus at 22050 Hz\. It takes 8000, 12000, 16000, 24000, 48000 Hz"):
        encoded(TONE, AudioEncoding.opus, 22050)


@pytest.mark.parametrize(("law", "written"), [(Encoding.mulaw, mu_law_bytes), (Encoding.alaw, a_law_bytes)])
@given(samples=st.lists(st.floats(-1.5, 1.5, width=32), max_size=40))
def test_g711_codes_are_the_nearest(law, written, samples):
    values = g711_values(law)
    given_samples = np.array(samples, np.float32)
    found = values[np.frombuffer(written(given_samples), np.uint8)]
    nearest = np.abs(given_samples[:, None] - values).min(axis=1, initial=np.inf)
    np.testing.assert_allclose(np.abs(given_samples - found), nearest, atol=1e-7)


def test_every_format_has_a_media_type(tmp_path: Path):
    assert set(MEDIA_TYPES) == set(AudioEncoding)
