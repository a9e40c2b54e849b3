"""Pieces of what libsndfile reads, within a larger file."""

import io

import numpy as np
import pytest
import soundfile

from speech.audio.input.libsndfile import open_sound
from speech.audio.input.pieces import AudioInfo, DamageError
from speech.audio.input.source import Slice
from tests.audio.made import tone, written


def test_pieces_are_the_samples_and_no_longer_than_asked_for():
    samples = np.stack([tone(0.5, 8000), -tone(0.5, 8000)], axis=1)
    content = written(samples, "WAV", 8000, "FLOAT")
    opened = open_sound(Slice(io.BytesIO(b"junk" + content + b"junk"), 4, 4 + len(content)), block_s=0.2)
    assert opened.info == AudioInfo(0.5, 8000, 2, "wav")
    pieces = list(opened.pieces)
    assert [len(piece.samples) for piece in pieces] == [1600, 1600, 800]
    assert {piece.rate for piece in pieces} == {8000}
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), samples)


def test_damage_is_said_where_it_stands():
    content = bytearray(written(tone(4.0), "FLAC"))
    half = len(content) // 2
    content[half : half + 2000] = np.random.default_rng(0).bytes(2000)
    opened = open_sound(Slice(io.BytesIO(bytes(content)), 0, len(content)), block_s=0.1)
    assert len(next(opened.pieces).samples) == 1600
    with pytest.raises(DamageError):
        list(opened.pieces)


def test_what_libsndfile_does_not_know_is_its_own_error():
    with pytest.raises(soundfile.LibsndfileError):
        open_sound(Slice(io.BytesIO(b"no audio at all"), 0, 15), block_s=1.0)
