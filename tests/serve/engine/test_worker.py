"""The engine's thread: what fails for one session ends that one alone, and small messages become little work."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from serve.engine.worker import EngineWorker, WorkerSlot
from speech import Recognizer
from speech.stream.commands import Change, Finish, Flush, Push
from speech.stream.options import StreamOptions
from speech.stream.slot import Result
from tests.failing_session import CALLS, failing
from tests.serve.conftest import until


@pytest.fixture
def idle() -> Any:
    reader = SimpleNamespace(read=None)
    engine = SimpleNamespace(second_pass=reader, config=SimpleNamespace(batch_s=6.0), translator=None)
    some = EngineWorker(engine, SimpleNamespace(), readers=0)  # type: ignore[arg-type]
    some.stop()
    return some


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
            failing(bad.stream.session, name, after=1 if name in ("drain", "waiting_part", "waiting_chunk") else 0)
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


def test_audio_in_the_smallest_messages_becomes_little_work(idle):
    slot = WorkerSlot(SimpleNamespace(), lambda _: None)  # type: ignore[arg-type]
    for sample in range(50_000):
        idle.submit(slot, [Push(np.full(1, sample, np.float32))])
    idle.submit(slot, [Flush(None), Push(np.full(1, -1, np.float32))])
    assert len(slot.inbox) <= 50_000 // 1600 + 3
    heard = np.concatenate([work.samples for work in slot.inbox if isinstance(work, Push)])
    assert np.array_equal(heard, [*range(50_000), -1])
    assert isinstance(slot.inbox[-2], Flush)
