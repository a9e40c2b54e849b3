"""Which GPU each worker has: all of a machine's in turn, or those that a cluster hands out."""

import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from reading import open_at, open_with_gpu
from typer.testing import CliRunner

from speech.batch.job import Job
from speech.batch.local import LocalPool
from speech.batch.on_ray import RayPool
from speech.cli.app import app
from speech.errors import ConfigError
from tests.conftest import CLIPS


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_is_compiled", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def job(device: str) -> Job:
    return Job(model="embedded", language="auto", device=device)


@pytest.mark.parametrize(
    ("device", "places"), [("cpu", ["cpu"]), ("cuda", ["cuda:0", "cuda:1"]), ("cuda:1", ["cuda:1"])]
)
@pytest.mark.usefixtures("two_gpus")
def test_workers_of_a_machine_take_its_gpus_in_turn(device, places):
    assert job(device).places == places


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("cuda", 1)])
def test_workers_of_a_cluster_ask_for_a_gpu_that_the_driver_need_not_have(device, gpus):
    assert job(device).gpus == gpus


def test_a_cluster_is_not_told_which_gpu():
    with pytest.raises(ConfigError, match=r"device cuda:1 on a cluster, which hands out GPUs itself\. Give cuda\."):
        _ = job("cuda:1").gpus


def answers(pool, count: int) -> list[str]:
    """What workers say of so many files."""
    todo, found = [str(number) for number in range(count)], []
    try:
        while len(found) < count:
            while todo and pool.free:
                pool.submit(todo.pop())
            found += pool.wait()
    finally:
        pool.close()
    return sorted(outcome.result.text for outcome in found)


def test_each_worker_opens_the_reader_of_its_place():
    readers = [partial(open_at, "cuda:0"), partial(open_at, "cuda:1")]
    assert answers(LocalPool(readers, 3), 3) == ["cuda:0", "cuda:0", "cuda:1"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("engine", ["local", "shard=0/2"])
def test_a_batch_on_a_device_that_is_not_there_opens_nothing(tmp_path, engine):
    out = tmp_path / "out"
    arguments = [str(CLIPS), "--device", "cuda", "--engine", engine, "--output-dir", str(out), "--model", "no/model"]
    result = CliRunner().invoke(app, ["transcribe", *arguments])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith("no device cuda: ")
    assert not [*out.rglob("*")]  # no ledger, no result


def test_actors_share_the_gpus_that_a_cluster_hands_out(monkeypatch):
    pytest.importorskip("ray", reason="extra `ray`")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", ":".join([str(Path(__file__).parent), *sys.path]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "num_gpus": 1, "include_dashboard": False})
    try:
        pool = RayPool(open_with_gpu, 2, gpus=1.0, address=cluster.address)
        assert answers(pool, 2) == ["0", "0"]
    finally:
        cluster.shutdown()
