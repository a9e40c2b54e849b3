"""Threads for a voice: as many as it says texts at once, or one for each core."""

import os
from types import SimpleNamespace

import pytest
import torch

from serve.config import ServeConfig
from serve.engine.cores import cores, pools_for, readers_for


@pytest.fixture
def machine(monkeypatch):
    """Sets the number of cores; torch's number of threads is restored."""
    threads = torch.get_num_threads()
    yield lambda count: monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(count), raising=False)
    torch.set_num_threads(threads)


def test_readers_leave_a_core_where_there_are_more_than_two(machine):
    for count, readers in {1: 1, 2: 2, 3: 2, 8: 7}.items():
        machine(count)
        assert cores() == count
        assert readers_for("cpu") == readers
        assert readers_for("cuda") == 1


@pytest.mark.parametrize(
    ("count", "together", "device", "threads", "each", "alone"),
    [(1, 1, "cpu", 1, 1, 1), (3, 1, "cpu", 3, 1, 2), (16, 1, "cpu", 5, 1, 4), (16, 3, "cpu", 3, 6, 6),
     (16, 16, "cpu", 5, 6, 6), (16, 1, "cuda", 1, 6, 6)],
    ids=["one core", "three cores", "many cores", "batches", "larger batches", "another device"],
)  # fmt: skip
def test_texts_have_a_core_each_or_several_and_batches_the_threads_of_all(
    machine, count, together, device, threads, each, alone
):
    torch.set_num_threads(6)
    machine(count)
    speaker, config = SimpleNamespace(together=together), SimpleNamespace(device=device, max_speech_requests=5)
    pools = pools_for(speaker, config)  # type: ignore[arg-type]
    try:
        assert pools.speech._max_workers == threads
        assert pools.speech.submit(torch.get_num_threads).result() == each
        assert pools.speech_alone.submit(torch.get_num_threads).result() == alone
        assert torch.get_num_threads() == 6
    finally:
        pools.close()


def test_without_a_voice_there_is_a_thread_that_waits_for_nothing():
    pools = pools_for(None, ServeConfig())
    assert pools.speech._max_workers == 1
    pools.close()
