"""The same texts from the actors of two Ray nodes as from one process; actors that die are replaced (extra `ray`)."""

import json
import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from reading import open_and_die, open_and_fail, open_and_hang, open_hang, open_nothing, open_read, open_surroundings

from speech.batch.driver import run
from speech.batch.job import Job, open_reader
from speech.batch.ledger import Ledger, Status
from speech.batch.on_ray import UV_HOOK, RayPool, RayWorkerError, _import_ray
from speech.batch.pool import Timeouts
from speech.errors import ConfigError, ModelError
from speech.transcript import Transcript
from tests.conftest import CLIPS

pytest.importorskip("ray", reason="extra `ray`")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU on this machine."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", ":".join([str(Path(__file__).parent), *sys.path]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv(UV_HOOK, "0")  # as the pool's import of Ray does
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        yield cluster.address
        cluster.shutdown()


def write(folder: Path, path: str, transcript: Transcript) -> Path:
    target = folder / f"{Path(path).stem}.txt"
    target.write_text(transcript.text)
    return target


@pytest.mark.parametrize("kind", ["checkpoint", "whisper_checkpoint"])
def test_two_nodes_say_what_one_process_says(cluster, kind, request, tmp_path):
    job = Job(model=str(request.getfixturevalue(kind)), language="auto")
    read = open_reader(job, 1)
    clips = sorted(map(str, CLIPS.parent.glob("*.ogg")))[:6]
    expected = {clip: read(clip) for clip in clips}
    ledger = Ledger(tmp_path / "run.sqlite")
    pool = RayPool(partial(open_reader, job, 1), address=cluster)
    try:
        while pool.free < 2:  # each takes a CPU, of which either node has one
            assert pool.wait() == []
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
    with pytest.raises(ConfigError, match="no node of the cluster has 1 CPUs and 64 GPUs"):
        RayPool(open_nothing, gpus=64, address=cluster)


@pytest.mark.parametrize(
    ("opener", "load_s", "said"),
    [
        (open_and_die, 120.0, "ended before it was ready"),
        (open_and_fail, 120.0, "disk is full"),
        (open_and_hang, 2.0, "not ready within 2 s"),
    ],
)
def test_actors_that_never_are_ready_end_the_pool_with_the_reason(cluster, opener, load_s, said):
    with pytest.raises(RayWorkerError, match=said):
        RayPool(opener, workers=1, address=cluster, limits=Timeouts(load_s=load_s))


def test_an_actor_that_is_silent_for_too_long_is_replaced(cluster, tmp_path):
    names = ["hang", "a", "b"]
    ledger = Ledger(tmp_path / "run.sqlite")
    pool = RayPool(partial(open_hang, tmp_path / "log"), workers=1, address=cluster, limits=Timeouts(read_s=2.0))
    try:
        found = dict(run(ledger.plan(names, ""), ledger, pool, partial(write, tmp_path)))
    finally:
        pool.close()
        ledger.close()
    assert isinstance(found["a"], Transcript)
    assert isinstance(found["b"], Transcript)
    assert "killed its worker 2 times" in str(found["hang"])


def test_a_cluster_whose_cpus_are_taken_is_not_waited_for(cluster):
    import ray

    ray.init(address=cluster, log_to_driver=False, configure_logging=False)
    try:
        taken = [ray.remote(num_cpus=1)(lambda: time.sleep(600)).remote() for _ in range(2)]
        while ray.available_resources().get("CPU", 0) > 0:
            time.sleep(0.1)
        with pytest.raises(RayWorkerError, match=r"within 2 s \(one needs 1 CPUs .* free are 0 and 0\)"):
            RayPool(open_surroundings, workers=1, limits=Timeouts(start_s=2.0))
        assert ray.is_initialized()  # it is the caller's
        del taken
    finally:
        ray.shutdown()


def test_an_address_where_nobody_listens_is_said_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(RayWorkerError, match=rf"{address}: no Ray cluster is reached.*Give the address of its head"):
        RayPool(open_surroundings, address=address)


def test_relative_paths_are_those_of_the_driver(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.wav").write_bytes(b"")
    pool = RayPool(open_surroundings, workers=1, address=cluster)
    try:
        pool.submit("a.wav")
        [outcome] = pool.wait()
    finally:
        pool.close()
    assert json.loads(outcome.result.text)["there"]


DRIVER = """
import json, sys
from reading import open_surroundings
from speech.batch.on_ray import RayPool
from speech.batch.pool import Timeouts
from speech.errors import SpeechError

try:
    pool = RayPool(open_surroundings, workers=1, address="local", limits=Timeouts(start_s=float(sys.argv[1])))
except SpeechError as error:
    sys.exit(f"error: {error}")
logs = pool._logs
pool.submit("here")
[outcome] = pool.wait()
pool.close()
copied = [str(path) for path in logs.parent.rglob("_ray_pkg_*")]
print(json.dumps(json.loads(outcome.result.text) | {"copied": copied, "driver": sys.executable}))
"""


def below_uv_run(folder: Path, start_s: float, **environment: str) -> subprocess.CompletedProcess[str]:
    """A driver whose parent's command line is `.uv/bin/uv run ...`, in a project where there is no such file."""
    (folder / "pyproject.toml").write_text("[project]\nname = 'mine'\n")
    (folder / "driver.py").write_text(DRIVER)
    (folder / "here").write_bytes(b"")
    (folder / "run").write_text(f"'{sys.executable}' driver.py {start_s}\nexit $?\n")
    words = [".uv/bin/uv", "run", "--frozen", "--extra", "ray", "python", "driver.py"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "UV"))}
    path = ":".join([str(Path(__file__).parent), *sys.path])
    return subprocess.run(
        words, executable="/bin/bash", cwd=folder, capture_output=True, text=True, timeout=200,
        env=kept | {"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"} | environment,
    )  # fmt: skip


def test_below_uv_run_workers_have_the_interpreter_of_the_driver_and_nothing_is_copied(tmp_path):
    ran = below_uv_run(tmp_path, 60.0)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["executable"] == found["driver"]
    assert (found["folder"], found["there"], found["copied"]) == (str(tmp_path), True, [])


def test_workers_that_cannot_start_say_why_and_when(tmp_path):
    ran = below_uv_run(tmp_path, 5.0, **{UV_HOOK: "1"})  # somebody asks for what Ray does by default
    assert ran.returncode == 1
    assert "error: no worker of Ray has started within 5 s" in ran.stderr
    assert ".uv/bin/uv: No such file or directory" in ran.stderr
    assert "Look at the files in" in ran.stderr


@pytest.mark.parametrize(("said", "expected"), [(None, False), ("0", False), ("1", True)])
def test_what_the_environment_says_holds_if_ray_was_imported_before(monkeypatch, said, expected):
    from ray._private import ray_constants

    monkeypatch.setattr(ray_constants, UV_HOOK, not expected)
    monkeypatch.delenv(UV_HOOK, raising=False)
    if said is not None:
        monkeypatch.setenv(UV_HOOK, said)
    _import_ray()
    assert getattr(ray_constants, UV_HOOK) is expected
    monkeypatch.delenv(UV_HOOK)
