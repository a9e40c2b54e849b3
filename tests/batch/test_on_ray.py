"""The same texts from the actors of two Ray nodes as from one process; actors that die are replaced (extra `ray`)."""

import sys
from functools import partial
from pathlib import Path

import pytest
from conftest import CLIPS
from reading import open_nothing, open_read

from speech.batch.driver import run
from speech.batch.job import Job, open_reader
from speech.batch.ledger import Ledger, Status
from speech.batch.on_ray import RayPool
from speech.errors import ConfigError, ModelError
from speech.transcript import Transcript

pytest.importorskip("ray", reason="extra `ray`")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU on this machine."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", ":".join([str(Path(__file__).parent), *sys.path]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        yield cluster.address
        cluster.shutdown()


def write(folder: Path, path: str, transcript: Transcript) -> Path:
    target = folder / f"{Path(path).stem}.txt"
    target.write_text(transcript.text)
    return target


def test_two_nodes_say_what_one_process_says(cluster, checkpoint, tmp_path):
    job = Job(model=str(checkpoint), language="auto")
    read = open_reader(job, 1)
    clips = sorted(map(str, CLIPS.parent.glob("*.ogg")))[:6]
    expected = {clip: read(clip) for clip in clips}
    ledger = Ledger(tmp_path / "run.sqlite")
    pool = RayPool(partial(open_reader, job, 1), address=cluster)
    try:
        assert pool.free == 2  # each takes a CPU, of which either node has one
        found = dict(run(ledger.plan(clips, ""), ledger, pool, partial(write, tmp_path)))
    finally:
        pool.close()
        ledger.close()
    assert found == expected


def test_actors_that_die_are_replaced_and_bad_files_named(cluster, tmp_path):
    names = ["a", "bad", "kill", "once", "b"]
    ledger = Ledger(tmp_path / "run.sqlite")
    pool = RayPool(partial(open_read, tmp_path / "log"), workers=2, address=cluster)
    try:
        found = dict(run(ledger.plan(names, ""), ledger, pool, partial(write, tmp_path)))
    finally:
        pool.close()
    assert {name for name, result in found.items() if isinstance(result, Transcript)} == {"a", "b", "once"}
    assert {entry.path: entry.status for entry in ledger.entries() if entry.status != Status.done} == {
        "bad": Status.failed,
        "kill": Status.quarantined,
    }
    ledger.close()


def test_what_cannot_run_says_why(cluster):
    with pytest.raises(ModelError, match="no such model"):
        RayPool(open_nothing, workers=1, address=cluster)
    with pytest.raises(ConfigError, match="no node of the cluster has 64 CPUs"):
        RayPool(open_nothing, cpus=64, address=cluster)
