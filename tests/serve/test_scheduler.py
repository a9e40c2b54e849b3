"""When chunks are stepped: together with others, after a while alone, and halved where there is time for it."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from serve import scheduler as module
from serve.scheduler import Scheduler, Slot


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
    some = Scheduler(engine, SimpleNamespace(), readers=0)  # type: ignore[arg-type]
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
