"""Parts that are read where they are wanted: in batches that fit, and a fault stays with its part."""

from collections.abc import Sequence

import numpy as np

from speech.decode.endpoint import Reason
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.readings import DirectReadings, PartReading, fitting


def wanted(owner: str, *requests: Request, start: int = 0, seconds: float = 1.0) -> PartReading:
    count = round(seconds * 16_000)
    part = Part(start, np.zeros(count, np.float32), 0, count, start, True, False, start + count, Reason.silence)
    return PartReading(owner=owner, part=part, requests=requests or (Request(),))


class Ear:
    """Remembers what it reads; parts that begin at 666 are too much for it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def read(self, parts: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        self.batches.append([part.start for part in parts])
        if any(part.start == 666 for part in parts):
            raise MemoryError("no")
        return [PartResult([], None, part.start, 0.0) for part in parts]


def test_each_request_has_its_answer_and_is_collected_once():
    ear = Ear()
    queue = DirectReadings(ear.read, 9.0)
    queue.want([wanted("a", Request(), Request((), "eng"), start=7), wanted("b", start=8)])
    assert queue.ready
    assert [[heard.frames for heard in reading.heard] for reading in queue.collect()] == [[7, 7], [8]]
    assert ear.batches == [[7, 7, 8]]
    assert not queue.ready
    assert queue.collect() == []


def test_a_batch_takes_what_fits_and_at_least_one():
    ear = Ear()
    long = wanted("a", start=1, seconds=9.0)
    some = [wanted(f"b{n}", start=n, seconds=1.5) for n in (2, 3, 4)]
    DirectReadings(ear.read, 4.0).want([long, *some])
    assert ear.batches == [[1], [2, 3], [4]]
    assert fitting([wanted("a", Request(), Request((), "eng"), seconds=1.5), *some], 4.0) == 1


def test_what_fails_for_one_is_said_of_that_one_alone():
    queue = DirectReadings(Ear().read, 9.0)
    queue.want([wanted("good", start=1), wanted("bad", start=666), wanted("too", start=2)])
    found = {reading.owner: reading.error for reading in queue.collect()}
    assert (found["good"], found["too"]) == (None, None)
    assert isinstance(found["bad"], MemoryError)


def test_only_transcripts_are_left_to_ctc():
    reading = wanted("a", Request(), Request((), "eng"))
    reading.quick = True
    assert [one.quick for one in reading.asked] == [True, False]
    assert reading.key == ("a", reading.part.place, (Request(), Request((), "eng")))
