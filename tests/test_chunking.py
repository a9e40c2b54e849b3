"""Chunk specifications refuse what cannot be."""

import pytest

from speech.chunking import ChunkSpec
from speech.errors import ConfigError


def test_seconds_follow_from_the_frame():
    assert ChunkSpec(size=8, left_context=50, right_context=4).seconds(0.02) == pytest.approx((0.16, 1.0, 0.08))


@pytest.mark.parametrize("change", [{"size": 0}, {"left_context": -1}, {"right_context": -1}])
def test_impossible_numbers_are_refused(change):
    with pytest.raises(ConfigError, match="at least"):
        ChunkSpec(**({"size": 4, "left_context": 8, "right_context": 0} | change))
