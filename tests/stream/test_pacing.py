"""When chunks are stepped: together with others, after a while alone, and halved where there is time for it."""

from types import SimpleNamespace

import pytest

from speech.stream.pacing import Pacing
from speech.stream.slot import Slot


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pacing(clock) -> Pacing:
    return Pacing(clock)


def slots(count: int) -> list[Slot]:
    return [Slot(SimpleNamespace()) for _ in range(count)]  # type: ignore[arg-type]


def test_a_chunk_waits_for_others_but_not_for_long(pacing, clock):
    some = slots(8)
    assert pacing.together(some[:1], some) == []
    assert pacing.patience(some) == pytest.approx(0.06)
    clock.now += 0.05
    assert pacing.together(some[:1], some) == []
    ready = [some[0], some[3]]
    assert pacing.together(ready, some) == ready  # one in four has one
    assert pacing.together(some[:1], some) == []
    clock.now += 0.011
    assert pacing.patience(some) == 0.0
    assert pacing.together(some[:1], some) == some[:1]
    assert pacing.together([], some) == []
    assert pacing.patience(some) is None


def test_a_few_sessions_do_not_wait(pacing):
    some = slots(4)
    assert pacing.together(some[:1], some) == some[:1]


def test_chunks_are_halved_while_they_take_little_time(pacing, clock):
    assert not pacing.fine

    def work(share: float, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            clock.now += 0.1
            pacing.measure(0.1 * share)

    work(0.2, 0.2)
    assert pacing.fine
    work(0.45, 20.0)
    assert pacing.fine
    work(0.9, 3.0)
    assert not pacing.fine
    work(0.35, 20.0)  # halving them would take too much
    assert not pacing.fine
    work(0.1, 4.0)
    assert pacing.fine
