"""WAV and its relatives: sizes that lie, and what may stand behind the samples."""

import numpy as np
import pytest

from speech.audio.input.files import load_audio
from speech.errors import AudioError
from tests.audio.made import tone, with_chunk_size, written

WAV = written(tone(4.0))


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_of_unknown_size_is_read_to_its_end(size: int) -> None:
    np.testing.assert_array_equal(load_audio(with_chunk_size(WAV, size)), load_audio(WAV))


def test_an_empty_wav_with_a_chunk_behind_is_empty() -> None:
    with pytest.raises(AudioError, match="no samples"):
        load_audio(written(tone(0.0)) + b"LIST\x04\0\0\0INFO")


@pytest.mark.parametrize("more", [b"LIST\x04\0\0\0INFO", b"\0" * 100_000, b"TAG" + bytes(125), b"junk", b"\xff"])
def test_chunks_and_padding_behind_the_samples_are_no_audio(more: bytes) -> None:
    np.testing.assert_array_equal(load_audio(WAV + more), load_audio(WAV))


def test_a_wav_whose_header_tells_of_less_than_there_is_is_refused() -> None:
    """As where more than 4 GiB were written, whose size begins again at 0."""
    with pytest.raises(AudioError, match="bytes behind the 32000 bytes of samples that its header tells of"):
        load_audio(with_chunk_size(WAV, 32_000))
