"""Server-sent events as HTML's standard has them: blocks of bytes in, data of events out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from speech.errors import AnswerError

_LINE_END = re.compile(rb"\r\n|\r|\n")


def event_data(blocks: Iterable[bytes], most_bytes: int) -> Iterator[str]:
    """The data of each event, as soon as the event is complete. One that the stream breaks off in is dropped.

    Comments and other fields than `data` are left out. How the stream is cut into blocks does not matter.

    Args:
        blocks: the stream, without a byte order mark.
        most_bytes: maximum length of a line.

    Raises:
        AnswerError: if a line is longer.
    """
    data: list[bytes] = []
    for line in _lines(blocks, most_bytes):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line:
            if any(data):
                yield b"\n".join(data).decode("utf-8", "replace")
            data.clear()


def _lines(blocks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """Complete lines without their ends: CR, LF or both."""
    begun = bytearray()
    after_return = False
    for block in blocks:
        text = block[1:] if after_return and block.startswith(b"\n") else block
        after_return = block.endswith(b"\r")
        *ended, rest = _LINE_END.split(text)
        for end in ended:
            begun += end
            _check(begun, most_bytes)
            yield bytes(begun)
            begun.clear()
        begun += rest
        _check(begun, most_bytes)


def _check(line: bytearray, most_bytes: int) -> None:
    if len(line) > most_bytes:
        raise AnswerError(f"sends a line of more than {most_bytes} bytes")
