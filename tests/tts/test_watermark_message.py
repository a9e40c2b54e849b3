"""Messages as bits: every one comes back, wrong bits are noticed, and uncertain ones are read together."""

import numpy as np
import pytest

from speech.errors import ConfigError
from speech.tts.watermark_message import MESSAGES, SIGNS, encode_message, likely_message

WORDS = {tuple(encode_message(message)): message for message in range(MESSAGES)}


def decode_message(bits):
    """The message whose word has exactly these bits; None if there is none."""
    return WORDS.get(tuple(bits))


def test_every_message_comes_back():
    words = [encode_message(message) for message in range(MESSAGES)]
    assert all(len(bits) == 16 for bits in words)
    assert [decode_message(bits) for bits in words] == list(range(MESSAGES))
    assert words[0][:4] == [0, 0, 0, 1]  # version 1


def test_up_to_two_wrong_bits_are_noticed_for_any_message():
    for message in (0, 77, 255):
        bits = encode_message(message)
        for first in range(16):
            wrong = [bit ^ (place == first) for place, bit in enumerate(bits)]
            assert decode_message(wrong) is None
    another_version = [0, 0, 1, 0, *encode_message(5)[4:]]
    assert decode_message(another_version) is None


@pytest.mark.parametrize("message", [-1, 256])
def test_a_message_out_of_range_is_refused(message):
    with pytest.raises(ConfigError, match=f"message {message}, expected 0 to 255"):
        encode_message(message)


@pytest.mark.parametrize("message", [0, 77, 255])
def test_a_message_is_read_although_an_uncertain_bit_is_wrong(message):
    votes = 2.0 * SIGNS[message]
    assert likely_message(votes, 1.0) == message
    for place in range(16):
        votes[place] *= -0.25
        assert likely_message(votes, 1.0) == message
        votes[place] *= -4


def test_a_message_that_fits_hardly_better_than_another_is_not_read():
    votes = SIGNS[5] + SIGNS[6]  # as if half of a recording said either
    assert likely_message(votes, 0.5) is None
    assert likely_message(votes + 0.5 * SIGNS[6], 0.5) == 6
    assert likely_message(np.zeros(16), 0.0) is None
