import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speech.dialogue.answers.event_stream import event_data
from speech.errors import AnswerError
from tests.dialogue.cuts import cut

PIECES = [b"data: x", b"\r\n", b"data", b":", b" ", b"\r", b"\n", b"x", "é€😀".encode(), b"\xff", b"event: y", b"id"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("lines", "data"),
    [
        ([b"data: a", b"", b"data:b", b""], ["a", "b"]),
        ([b": keep-alive", b"", b"event: x", b"id: 1", b"retry: 5", b"data: a", b""], ["a"]),
        ([b"data: {", b"data:  1}", b""], ["{\n 1}"]),
        ([b"data: a: b", b""], ["a: b"]),
        ([b"data", b"", b"data:", b"", b"data: a", b""], ["a"]),
        ([b"data: a\xe2\x80\xa8b\xc2\x85", b""], ["a\u2028b\x85"]),
        ([b"data: a\xffb", b""], ["a\ufffdb"]),
        ([b"", b"", b"data: a", b"", b"data: dropped"], ["a"]),
    ],
)
def test_events_are_read_as_the_standard_has_them(end, lines, data):
    assert list(event_data([b"".join(line + end for line in lines)], 100)) == data


@example(b"data: a\r\ndata: b\r\n\r\n", [])
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join), st.lists(st.integers(0, 200), max_size=20))
def test_how_a_stream_is_cut_does_not_matter(stream, places):
    data = list(event_data([stream], 1000))
    assert list(event_data(cut(stream, places), 1000)) == data
    assert list(event_data(cut(stream, list(range(len(stream)))), 1000)) == data


def test_an_event_is_there_before_the_next_block():
    def blocks():
        yield b"data: a\r\n\r"
        raise AssertionError("it waits for more")

    assert next(event_data(blocks(), 100)) == "a"


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_a_long_line_is_refused_behind_what_came_before(size, end):
    stream = b"data: a\n\ndata: " + b"b" * 95 + end
    read = event_data((stream[at : at + size] for at in range(0, len(stream), size)), 100)
    assert next(read) == "a"
    with pytest.raises(AnswerError, match="a line of more than 100 bytes"):
        next(read)


def test_an_endless_line_is_not_kept():
    blocks = 0

    def endless():
        nonlocal blocks
        while True:
            blocks += 1
            yield b"b" * 64

    with pytest.raises(AnswerError):
        next(event_data(endless(), 1000))
    assert blocks == 16
