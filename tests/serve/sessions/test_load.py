"""How busy a server is, and how many wait to begin."""

import pytest

from serve.sessions.load import Load, WaitingConnections
from serve.sessions.options import Refused
from speech.stream.slot import Result


def cost(stepped_s: float, read_s: float) -> Result:
    return Result([], [], 0.0, stepped_s, read_s)


def test_the_load_is_that_of_what_is_busiest_once_it_is_known():
    load = Load(2)
    load.measure(20.0, cost(10.0, 60.0))
    assert load.real_time_factor == 0.0
    load.measure(0.1, cost(0.0, 0.0))
    assert load.real_time_factor == pytest.approx(1.5, rel=0.01)
    for _ in range(20):
        load.measure(60.0, cost(12.0, 6.0))
    assert load.real_time_factor == pytest.approx(0.2, rel=0.01)


def test_where_the_engine_reads_parts_itself_both_count():
    load = Load(0)
    load.measure(30.0, cost(10.0, 5.0))
    assert load.real_time_factor == pytest.approx(0.5)


def test_those_that_come_back_may_wait_where_others_cannot():
    waiting = WaitingConnections(1)
    with waiting.entered():
        assert waiting.crowded()
        with pytest.raises(Refused, match="too many"), waiting.entered():
            pass
        with waiting.entered(resuming=True):
            assert waiting.crowded(resuming=True)
        assert not waiting.crowded(resuming=True)
    assert not waiting.crowded()
