import numpy as np

from speech.decode.endpoint import Reason
from speech.recognize.growing_audio import GrowingAudio
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.part_queue import PartQueue

RESULT = PartResult([], None, 0, 1.0)


def part(start: int, *, growing: GrowingAudio | None = None, translated: tuple[int, ...] = ()) -> Part:
    samples = np.zeros(320, np.float32)
    return Part(
        start, samples, 0, 320, start + 320, True, False, start + 320, Reason.silence, growing=growing,
        translated=translated,
    )  # fmt: skip


def test_parts_come_in_order_and_growing_ones_are_not_complete():
    queue = PartQueue()
    assert not queue
    queue.add([part(0, growing=GrowingAudio(0))])
    assert queue
    assert not queue.complete
    queue.add([part(0), part(320)])
    assert queue.complete
    assert queue.first.growing
    queue.pop()
    assert queue.first.start == 0
    queue.pop()
    assert queue.first.start == 320


def test_a_kept_reading_is_used_once_for_the_same_part_and_requests():
    queue, requests = PartQueue(), [Request(("eng",))]
    queue.keep(part(0), requests, [RESULT])
    assert queue.knows(part(0))
    assert not queue.knows(part(320))
    assert queue.reading(part(0), requests) == [RESULT]
    assert queue.reading(part(0), requests) is None


def test_a_kept_reading_of_something_else_is_dropped():
    for other, requests in [
        (part(320), [Request(("eng",))]),
        (part(0), [Request(("deu",))]),
        (part(0, translated=(1, 2)), [Request(("eng",))]),
    ]:
        queue = PartQueue()
        queue.keep(part(0), [Request(("eng",))], [RESULT])
        assert queue.reading(other, requests) is None
        assert not queue.knows(part(0))
