"""Readers: what is wanted most is read first, nothing is read twice, and a fault stays with its part."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from serve.engine.readers import Readers
from speech.decode.endpoint import Reason
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.readings import PartReading


def part(start: int, seconds: float = 1.0) -> Part:
    count = round(seconds * 16_000)
    return Part(start, np.zeros(count, np.float32), 0, count, start, True, False, start + count, Reason.silence)


def wanted(owner: str, *requests: Request, start: int = 0, seconds: float = 1.0) -> PartReading:
    return PartReading(owner=owner, part=part(start, seconds), requests=requests or (Request(),))


class Ear:
    """Reads when it is let, and remembers what; parts that begin at 666 are too much for it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go, self.begun = threading.Semaphore(0), threading.Semaphore(0)

    def read(self, parts: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        self.batches.append([part.start for part in parts])
        self.begun.release()
        self.go.acquire(timeout=20)
        if any(part.start == 666 for part in parts):
            raise MemoryError("no")
        return [PartResult([], None, part.start, 0.0) for part in parts]


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def readers(ear: Ear) -> Any:
    told = threading.Semaphore(0)
    some = Readers(ear.read, 1, 0.0, told.release)
    some.told = told  # type: ignore[attr-defined]
    yield some
    for _ in range(20):
        ear.go.release()
    some.stop()


def finished(readers: Any, ear: Ear) -> list[str]:
    ear.go.release()
    assert readers.told.acquire(timeout=20)
    assert readers.ready
    return [reading.owner for reading in readers.collect()]


def test_the_most_urgent_comes_first_and_what_is_no_longer_wanted_never(readers, ear):
    readers.want([wanted("a")])
    assert ear.begun.acquire(timeout=20)
    readers.want([wanted("c", start=3), wanted("b", start=2)])
    readers.want([wanted("b", start=2), wanted("d", start=4)])
    assert finished(readers, ear) == ["a"]
    assert finished(readers, ear) == ["b"]
    assert ear.begun.acquire(timeout=20)
    readers.want([])
    assert finished(readers, ear) == ["d"]
    assert ear.batches == [[0], [2], [4]]


def test_of_an_owner_one_part_under_way_is_read_at_a_time(readers, ear):
    def under_way(seconds: float) -> PartReading:
        return PartReading(owner="a", part=part(0, seconds), requests=[Request(quick=True)], partial=True)

    readers.want([under_way(1.0)])
    assert ear.begun.acquire(timeout=20)
    readers.want([under_way(2.0)])
    assert finished(readers, ear) == ["a"]
    readers.want([under_way(3.0), wanted("b", start=3)])
    assert finished(readers, ear) == ["a"]
    assert finished(readers, ear) == ["b"]
    assert ear.batches == [[0], [0], [3]]


def test_what_is_being_read_or_waits_to_be_collected_is_not_read_again(readers, ear):
    readers.want([wanted("a")])
    assert ear.begun.acquire(timeout=20)
    readers.want([wanted("a")])
    ear.go.release()
    assert readers.told.acquire(timeout=20)
    readers.want([wanted("a"), wanted("a", Request(("eng",)))])
    assert finished(readers, ear) == ["a", "a"]
    assert ear.batches == [[0], [0]]  # the second for another request
    readers.want([wanted("a")])
    assert finished(readers, ear) == ["a"]


def test_each_request_has_its_answer():
    ear = Ear()
    some = Readers(lambda parts, requests: ear.go.release() or ear.read(parts, requests), 0, 9.0, lambda: None)
    some.want([wanted("a", Request(), Request((), "eng"), start=7), wanted("b", start=8)])
    one, other = some.collect()
    assert [len(one.heard), len(other.heard)] == [2, 1]
    assert [heard.frames for heard in (*one.heard, *other.heard)] == [7, 7, 8]
    assert ear.batches == [[7, 7, 8]]
    assert not some.ready


def test_a_batch_takes_what_fits_and_at_least_one():
    ear = Ear()
    some = Readers(lambda parts, requests: ear.go.release() or ear.read(parts, requests), 0, 4.0, lambda: None)
    some.want([wanted("a", start=1, seconds=9.0), *(wanted(f"b{n}", start=n, seconds=1.5) for n in (2, 3, 4, 5))])
    assert ear.batches == [[1], [2, 3], [4, 5]]


def test_what_fails_for_one_is_said_of_that_one_alone():
    ear = Ear()
    some = Readers(lambda parts, requests: ear.go.release() or ear.read(parts, requests), 0, 9.0, lambda: None)
    some.want([wanted("good", start=1), wanted("bad", start=666), wanted("too", start=2)])
    found = {reading.owner: reading.error for reading in some.collect()}
    assert found["good"] is None
    assert found["too"] is None
    assert isinstance(found["bad"], MemoryError)


def test_threads_end_when_they_are_told_to():
    before = threading.active_count()
    some = Readers(Ear().read, 3, 0.0, lambda: None)
    assert threading.active_count() == before + 3
    some.stop()
    assert threading.active_count() == before
