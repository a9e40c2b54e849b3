"""How a file is looked into."""

import io

import pytest

from speech.audio.input.formats.link import BLOCK, FEW, cut_off, read_at, rest_is_empty
from speech.errors import AudioError


def test_bytes_are_read_where_they_stand_and_fewer_at_the_end():
    file = io.BytesIO(b"abcdef")
    assert read_at(file, 3, 2) == b"de"
    assert read_at(file, 0, 1) == b"a"
    assert read_at(file, 5, 9) == b"f"


@pytest.mark.parametrize(
    ("rest", "empty"),
    [(b"x" * FEW, True), (b"x" * (FEW + 1), False), (bytes(3 * BLOCK), True), (bytes(2 * BLOCK) + b"\1", False)],
)
def test_a_rest_is_empty_if_it_is_short_or_nothing_but_zeros(rest, empty):
    file = io.BytesIO(b"head" + rest)
    assert rest_is_empty(file, 4, 4 + len(rest)) == empty


def test_a_shorter_rest_may_be_asked_for():
    assert not rest_is_empty(io.BytesIO(b"xyz"), 0, 3, most=2)
    assert rest_is_empty(io.BytesIO(b"xyz"), 0, 3, most=3)


def test_what_is_cut_off_names_the_file_and_what_is_missing():
    error = cut_off("a.mp4", "9 bytes are missing")
    assert isinstance(error, AudioError)
    assert str(error).startswith("a.mp4: is cut off: 9 bytes are missing")
