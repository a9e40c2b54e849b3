import numpy as np

from speech.decode.endpoint import Reason
from speech.recognize.growing_audio import GrowingAudio
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.part_queue import PartQueue

RESULT = PartResult([], None, 0, 1.0)


def part(start: int, size: int = 320, *, growing: GrowingAudio | None = None, translated: tuple[int, ...] = ()) -> Part:
    samples, end = np.zeros(size, np.float32), start + size
    return Part(
        start, samples, 0, size, end, True, False, end, Reason.silence, growing=growing, translated=translated
    )  # fmt: skip


def draft(seconds: float, start: int = 0) -> Part:
    return part(start, round(seconds * 16_000), growing=GrowingAudio(start))


def waiting(queue: PartQueue) -> list[tuple[int, float, bool]]:
    """Start, seconds and whether it grows, of all parts."""
    found = []
    while queue:
        first = queue.first
        found.append((first.start, len(first.samples) / 16_000, first.growing is not None))
        queue.pop()
    return found


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


def test_late_drafts_are_left_out_but_the_first_and_the_last():
    """The first may be read at this moment."""
    queue = PartQueue(1.0)
    for seconds in (2.0, 2.6, 3.2, 3.8, 4.4):
        queue.add([draft(seconds)])
    assert waiting(queue) == [(0, 2.0, True), (0, 3.8, True), (0, 4.4, True)]


def test_a_complete_part_makes_its_late_drafts_needless_and_no_others():
    queue = PartQueue(1.0)
    for seconds in (2.0, 2.6, 3.2):
        queue.add([draft(seconds)])
    queue.add([part(0, 60_000)])
    queue.add([draft(2.0, 60_000)])
    assert waiting(queue) == [(0, 3.2, True), (0, 3.75, False), (60_000, 2.0, True)]


def test_without_a_limit_nothing_is_left_out():
    queue = PartQueue()
    for seconds in (2.0, 12.0, 22.0):
        queue.add([draft(seconds)])
    queue.add([part(0, 400_000)])
    assert [seconds for _, seconds, _ in waiting(queue)] == [2.0, 12.0, 22.0, 25.0]


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
