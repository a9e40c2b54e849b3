"""Work of one kind does not wait behind work of another."""

import asyncio
import threading
from dataclasses import fields

import pytest

from serve.engine.pools import Pools, run


@pytest.fixture
def pools():
    made = Pools.start()
    yield made
    made.close()


@pytest.mark.parametrize("name", [item.name for item in fields(Pools)])
def test_a_pool_that_is_full_keeps_no_other_kind_of_work_waiting(pools, name):
    async def conversation() -> list[str]:
        hold = threading.Event()
        busy = [asyncio.ensure_future(run(getattr(pools, name), hold.wait, 20)) for _ in range(64)]
        try:
            others = [item.name for item in fields(Pools) if item.name != name]
            names = [run(getattr(pools, other), lambda: threading.current_thread().name) for other in others]
            return await asyncio.wait_for(asyncio.gather(*names), 10)
        finally:
            hold.set()
            await asyncio.gather(*busy)

    found = asyncio.run(conversation())
    assert {text.rpartition("_")[0] for text in found} == {
        f"speech-{item.name}" for item in fields(Pools) if item.name != name
    }


def test_errors_and_arguments_pass_through(pools):
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(pools.files, divmod, 1, 0))
    assert asyncio.run(run(pools.audio, int, "11", base=2)) == 3


def test_what_has_not_begun_when_the_server_ends_never_does(pools):
    hold, begun = threading.Event(), []
    running = pools.files.submit(hold.wait, 20)
    waiting = pools.files.submit(begun.append, 1)
    pools.close()
    hold.set()
    assert running.result(10)
    assert waiting.cancelled()
    assert begun == []


def test_so_many_texts_are_said_at_once_as_are_asked_for():
    pools, met = Pools.start(speech=3), threading.Barrier(3)
    try:
        works = [pools.speech.submit(met.wait, 20) for _ in range(3)]
        assert {work.result(30) for work in works} == {0, 1, 2}
    finally:
        pools.close()
