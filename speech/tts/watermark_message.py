"""The message of a watermark as bits: written, read off bits, and read off logits that are not sure.

A mark has 16 bits: 4 of the version of its layout, 8 that are free, and a checksum of 4 (CRC-4-ITU). So of 65,536 words
only 256 are messages, and which of them fits logits best is read with more certainty than each bit alone.
"""

from __future__ import annotations

import numpy as np

from speech.errors import ConfigError

MESSAGES = 256
"""Messages are 0 .. 255."""
VERSION = 1
"""Layout of the bits."""
_CRC = 0b10011
"""x^4 + x + 1."""


def encode_message(message: int) -> list[int]:
    """The 16 bits of a message.

    Raises:
        ConfigError: if it is not 0 .. 255.
    """
    if not 0 <= message < MESSAGES:
        raise ConfigError(f"message {message}, expected 0 to {MESSAGES - 1}")
    word = VERSION << 8 | message
    return _bits(word << 4 | _checksum(word), 16)


def _bits(number: int, count: int) -> list[int]:
    return [number >> place & 1 for place in reversed(range(count))]


def _checksum(word: int) -> int:
    """CRC-4-ITU of 12 bits."""
    rest = word << 4
    for place in reversed(range(4, 16)):
        if rest >> place & 1:
            rest ^= _CRC << (place - 4)
    return rest


SIGNS = np.array([encode_message(message) for message in range(MESSAGES)], np.float32) * 2 - 1
"""`(256, 16)`: 1 for each bit that is 1, -1 for each that is 0."""


def likely_message(votes: np.ndarray, margin: float) -> int | None:
    """The message that fits `votes (16,)`, which speak for a 1 where they are positive.

    Args:
        votes: sums of logits.
        margin: by how much it has to fit better than any other; it is None otherwise.
    """
    fits = SIGNS @ votes
    second, best = np.argsort(fits)[-2:]
    return int(best) if fits[best] - fits[second] > margin else None
