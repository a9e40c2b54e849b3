"""Workers that die, hang or cannot start are replaced, or say why."""

import os
import signal
from functools import partial

import pytest
from reading import open_and_die, open_and_hang, open_hang, open_nothing, open_read

from speech.batch.driver import run
from speech.batch.ledger import Ledger, Status
from speech.batch.local import LocalPool, WorkerError
from speech.batch.pool import Timeouts
from speech.errors import ModelError
from speech.transcript import Transcript
from tests.batch.writing import write


@pytest.mark.parametrize("workers", [1, 3])
def test_every_file_has_one_outcome(tmp_path, workers):
    names = ["a", "bad", "b", "kill", "c", "once", "strange", "d", "e"]
    ledger = Ledger(tmp_path / "run.sqlite")
    todo = ledger.plan(names, "settings")
    pool = LocalPool(partial(open_read, tmp_path / "log"), workers)
    (tmp_path / "out").mkdir()
    try:
        found = list(run(todo, ledger, pool, partial(write, tmp_path / "out")))
    finally:
        pool.close()
    assert sorted(path for path, _ in found) == sorted(names)
    results = dict(found)
    assert {path for path, result in results.items() if isinstance(result, Transcript)} == {
        "a",
        "b",
        "c",
        "d",
        "e",
        "once",
    }
    assert "is not audio" in str(results["bad"])
    assert "RuntimeError: no memory" in str(results["strange"])
    assert "killed its worker 2 times" in str(results["kill"])
    assert {entry.path: entry.status for entry in ledger.entries() if entry.status != Status.done} == {
        "bad": Status.failed,
        "strange": Status.failed,
        "kill": Status.quarantined,
    }
    read_files = (tmp_path / "log").read_text().split()
    assert sorted(read_files) == sorted([*names, "kill", "once"])
    ledger.close()


def test_an_interruption_of_the_terminal_does_not_reach_the_workers(tmp_path):
    pool = LocalPool(partial(open_read, tmp_path / "log"))
    process = pool._workers[0].process
    os.kill(process.pid, signal.SIGINT)
    pool.submit("a.wav")
    (outcome,) = pool.wait()
    assert (outcome.path, outcome.result.text) == ("a.wav", "a")
    pool.close()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_workers_that_cannot_start_say_why():
    pool = LocalPool(open_nothing)
    pool.submit("a")
    with pytest.raises(ModelError, match="no such model"):
        pool.wait()
    pool.close()
    pool = LocalPool(open_and_die)
    pool.submit("a")
    with pytest.raises(WorkerError, match="code 7"):
        pool.wait()
    pool.close()


def test_a_worker_that_is_silent_for_too_long_is_replaced(tmp_path):
    names = ["hang", "a", "b"]
    ledger = Ledger(tmp_path / "run.sqlite")
    pool = LocalPool(partial(open_hang, tmp_path / "log"), limits=Timeouts(read_s=0.5))
    (tmp_path / "out").mkdir()
    try:
        found = dict(run(ledger.plan(names, ""), ledger, pool, partial(write, tmp_path / "out")))
    finally:
        pool.close()
        ledger.close()
    assert isinstance(found["a"], Transcript)
    assert isinstance(found["b"], Transcript)
    assert "killed its worker 2 times" in str(found["hang"])


def test_a_worker_that_never_is_ready_is_not_waited_for():
    pool = LocalPool(open_and_hang, limits=Timeouts(load_s=0.5))
    pool.submit("a")
    with pytest.raises(WorkerError, match=r"not ready within 0\.5 s"):
        pool.wait()
    pool.close()
