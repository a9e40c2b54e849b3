"""When chunks are stepped: together with others, after a while alone, and halved where there is time for it."""

import asyncio
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from serve.engine import worker as module
from serve.engine.commands import Change, Done, Finish, Flush, Push
from serve.engine.worker import EngineWorker, Result, Slot
from speech import Recognizer
from speech.errors import ConfigError, LanguageError
from speech.recognize.request import Request
from speech.stream.session import StreamingSession, StreamOptions
from tests.serve.conftest import until


class Stream:
    """Has a chunk of so many frames."""

    def __init__(self, frames: int = 0) -> None:
        self.frames = frames

    def waiting_chunk(self, smallest: int) -> tuple[None, int] | None:
        return (None, self.frames) if self.frames >= smallest else None


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def idle(clock) -> Any:
    engine = SimpleNamespace(
        second_pass=SimpleNamespace(read=None),
        config=SimpleNamespace(batch_s=6.0),
        smallest=lambda *, fine: 8 if fine else 16,
    )
    some = EngineWorker(engine, SimpleNamespace(), readers=0)  # type: ignore[arg-type]
    some.stop()
    return some


def slots(*frames: int) -> list[Slot]:
    return [Slot(Stream(count), lambda _: None) for count in frames]  # type: ignore[arg-type]


def test_a_chunk_waits_for_others_but_not_for_long(idle, clock):
    some = slots(16, *[0] * 7)
    idle._slots = set(some)
    assert idle._together(some) == []
    assert idle._patience() == pytest.approx(0.06)
    clock.now += 0.05
    assert idle._together(some) == []
    some[3].stream.frames = 16
    assert idle._together(some) == [some[0], some[3]]  # one in four has one
    some[3].stream.frames = 0
    assert idle._together(some) == []
    clock.now += 0.011
    assert idle._patience() == 0.0
    assert idle._together(some) == [some[0]]
    some[0].stream.frames = 0
    assert idle._together(some) == []
    assert idle._patience() is None


def test_a_few_sessions_do_not_wait(idle):
    some = slots(16, 0, 0, 0)
    assert idle._together(some) == some[:1]


def test_chunks_are_halved_while_they_take_little_time(idle, clock):
    halves = slots(8)
    assert idle._together(halves) == []

    def work(share: float, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            clock.now += 0.1
            idle._measure(0.1 * share)

    work(0.2, 0.2)
    assert idle._together(halves) == halves
    work(0.45, 20.0)
    assert idle._together(halves) == halves
    work(0.9, 3.0)
    assert idle._together(halves) == []
    work(0.35, 20.0)  # halving them would take too much
    assert idle._together(halves) == []
    work(0.1, 4.0)
    assert idle._together(halves) == halves
    assert math.isfinite(idle._share)


def heard(name: str, **waiting: Any) -> Slot:
    """A session of which something waits to be read: `complete`, `expected` or `under_way`."""
    part = SimpleNamespace(end_sample=16_000, place=name)
    stream = SimpleNamespace(
        options=StreamOptions(),
        received_s=1.0,
        waiting_part=lambda: part if "complete" in waiting else None,
        expected_part=lambda: part if "expected" in waiting else None,
        waiting_partial=lambda: (part, Request(quick=True)) if "under_way" in waiting else None,
    )
    return Slot(stream, lambda _: None)  # type: ignore[arg-type]


def test_parts_under_way_are_read_last_and_not_while_a_complete_one_waits(idle):
    under_way, expected, complete = heard("u", under_way=1), heard("e", expected=1), heard("c", complete=1, under_way=1)
    assert [one.part.place for one in idle._wanted([under_way, expected])] == ["e", "u"]
    assert [one.partial for one in idle._wanted([under_way, expected])] == [False, True]
    assert [one.part.place for one in idle._wanted([under_way, expected, complete])] == ["c", "e"]
    assert idle._wanted([under_way])[0].requests == [Request(quick=True)]


CALLS = [
    "push", "push_flush", "push_finish", "update", "drain", "waiting_part", "expected_part", "waiting_chunk",
    "waiting_partial", "take_reading", "take_part", "take_chunk", "received_s", "processed_s",
]  # fmt: skip


def failing(stream: StreamingSession, name: str, after: int) -> None:
    """Let what a stream is asked or told by a name fail from some call on."""
    kind, calls = type(stream), iter(range(10**9))
    found = getattr(kind, name, None)

    def value(self: StreamingSession, *given: Any) -> Any:
        if next(calls) >= after:
            raise ZeroDivisionError(name)
        if found is None:
            return self.__dict__[name]
        return found.fget(self) if isinstance(found, property) else found(self, *given)

    read = name in ("received_s", "processed_s")
    put = (lambda self, new: self.__dict__.__setitem__(name, new)) if found is None else None
    stream.__class__ = type("Failing", (kind,), {name: property(value, put) if read else value})


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("readers", [0, 1])
def test_whatever_fails_for_one_session_ends_that_one_and_no_other(recognizer: Recognizer, pcm, said, name, readers):
    engine = recognizer.engine()
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    told: dict[str, list[Result]] = {"bad": [], "good": []}

    async def conversation() -> None:
        worker = EngineWorker(engine, asyncio.get_running_loop(), readers)
        try:
            good = worker.open(StreamOptions(), told["good"].append)
            bad = worker.open(StreamOptions(), told["bad"].append)
            failing(bad.stream, name, after=1 if name in ("drain", "waiting_part", "waiting_chunk") else 0)
            work = [Push(samples), Change(StreamOptions(interim=False), StreamOptions()), Flush(None), Finish()]
            worker.submit(bad, work)
            worker.submit(good, [Push(samples), Finish()])
            await until(lambda: any(done.work == Finish() for result in told["good"] for done in result.done), 60)
            await until(lambda: any(result.error for result in told["bad"]), 60)
            assert not worker.failed
            assert worker._slots == {good}
        finally:
            worker.stop()

    asyncio.run(conversation())
    finals = [event.text for result in told["good"] for event in result.events if getattr(event, "is_final", False)]
    assert " ".join(filter(None, finals)) == said
    assert isinstance(told["bad"][-1].error, ZeroDivisionError)


@pytest.mark.parametrize("refusal", [ConfigError("no"), LanguageError("no")])
def test_a_change_that_the_stream_refuses_changes_nothing_and_is_answered(idle, refusal):
    def update(options: StreamOptions) -> float:
        raise refusal

    told: list[Result] = []
    stream = SimpleNamespace(
        update=update, received_s=1.0, processed_s=1.0, waiting_part=lambda: None, waiting_chunk=lambda _: None,
        drain=list, push=lambda _: None,
    )  # fmt: skip
    slot = Slot(stream, told.append)  # type: ignore[arg-type]
    idle._loop = SimpleNamespace(call_soon_threadsafe=lambda call, *given: call(*given))
    slot.barrier = Change(StreamOptions(interim=False), StreamOptions())
    idle._report(slot, 0.0)
    assert told[0].done == [Done(slot.barrier or told[0].done[0].work, 1.0, refusal)]
    assert told[0].error is slot.error is None


def test_audio_in_the_smallest_messages_becomes_little_work(idle):
    slot = slots(0)[0]
    for sample in range(50_000):
        idle.submit(slot, [Push(np.full(1, sample, np.float32))])
    idle.submit(slot, [Flush(None), Push(np.full(1, -1, np.float32))])
    assert len(slot.inbox) <= 50_000 // 1600 + 3
    heard = np.concatenate([work.samples for work in slot.inbox if isinstance(work, Push)])
    assert np.array_equal(heard, [*range(50_000), -1])
    assert isinstance(slot.inbox[-2], Flush)
