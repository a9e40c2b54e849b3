"""Samples of a file, an array or standard input, block by block."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from speech.audio.input.blocks import blocks_of, chain, take
from speech.errors import AudioError


def test_a_file_an_array_and_standard_input_say_the_same(wave, speech, monkeypatch):
    expected = speech[:24_000]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(wave.read_bytes())))
    for source in (wave, expected, "-"):
        found = np.concatenate(list(blocks_of(source, 16_000, None, None)))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_what_is_not_there_or_too_long_is_refused(wave, monkeypatch):
    with pytest.raises(AudioError, match="has no track 1"):
        list(blocks_of(np.zeros(9, np.float32), 16_000, None, 1))
    with pytest.raises(AudioError, match="has more than 1 s"):
        list(blocks_of(np.zeros(16_001, np.float32), 16_000, None, None, max_s=1))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(AudioError, match="is closed"):
        list(blocks_of("-", 16_000, None, None))


def test_the_first_seconds_are_taken_and_put_back():
    blocks = iter([np.zeros(8000, np.float32)] * 5)
    first = list(take(blocks, 1.0))
    assert len(first) == 2
    assert len(list(chain(first, blocks))) == 5
