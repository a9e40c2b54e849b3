"""Workers that die, files that kill, drivers that are killed: every file is read once, or said to be bad."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import open_and_die, open_and_hang, open_hang, open_nothing, open_read
from typer.testing import CliRunner

from speech.batch.driver import run, shard
from speech.batch.job import Job, open_reader
from speech.batch.ledger import Ledger, Status
from speech.batch.local import LocalPool, WorkerError
from speech.batch.pool import Outcome, Timeouts
from speech.cli.app import app
from speech.cli.batch import parse_shard
from speech.errors import ConfigError, FileError, ModelError, SpeechError
from speech.files import write_atomically
from speech.transcript import Transcript
from tests.conftest import CLIPS


def write(folder: Path, path: str, transcript: Transcript) -> Path:
    target = folder / f"{Path(path).stem}.txt"
    assert not target.exists(), "written twice"
    target.write_text(transcript.text)
    return target


def test_another_channel_or_track_or_other_texts_are_another_job(checkpoint):
    choices = ({}, {"channel": 0}, {"track": 0}, {"plain": True}, {"nbest": 2})
    jobs = [Job(model=str(checkpoint), language="auto", **chosen) for chosen in choices]
    assert len({job.identity("txt") for job in jobs}) == 5


def test_a_label_model_alone_reads_in_workers_too(whisper_checkpoint, tmp_path):
    job = Job(model=str(whisper_checkpoint), language="deu")
    clips = sorted(map(str, CLIPS.parent.glob("*.ogg")))[:3]
    read = open_reader(job, 1)
    expected = {clip: read(clip) for clip in clips}
    ledger, pool = Ledger(tmp_path / "run.sqlite"), LocalPool(partial(open_reader, job, 1), 2)
    try:
        found = dict(run(ledger.plan(clips, job.identity("txt")), ledger, pool, partial(write, tmp_path)))
    finally:
        pool.close()
        ledger.close()
    assert found == expected
    assert any(transcript.text for transcript in found.values())


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


def test_a_result_that_cannot_have_its_name_is_a_failure_and_a_full_disk_is_the_end(tmp_path):
    def refusing(path, transcript):
        target = tmp_path / ("x" * 300 if path == "long" else f"{path}.txt")
        if path == "full":
            target = Path("/dev/null/full")
        write_atomically(target, transcript.text)
        return target

    ledger = Ledger(tmp_path / "run.sqlite")
    found = dict(run(ledger.plan(["a", "long", "b"], ""), ledger, Scripted([], 1), refusing))
    assert str(found.pop("long")) == f"{tmp_path / ('x' * 300)}: cannot be written: file name too long"
    assert all(isinstance(result, Transcript) for result in found.values())
    with pytest.raises(FileError, match="full: cannot be written: not a directory"):
        list(run(ledger.plan(["full"], ""), ledger, Scripted([], 1), refusing))
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


class Scripted:
    """A pool whose workers die as the script says, for many runs."""

    def __init__(self, deaths: list[bool], room: int) -> None:
        self.deaths, self.room, self.reading = deaths, room, []

    @property
    def free(self) -> int:
        return self.room - len(self.reading)

    @property
    def busy(self) -> int:
        return len(self.reading)

    def submit(self, path: str) -> None:
        self.reading.append(path)

    def wait(self) -> list[Outcome]:
        path = self.reading.pop(len(self.deaths) % len(self.reading))
        died = self.deaths.pop() if self.deaths else False
        return [Outcome(path, None if died else Transcript(path, "eng", 1.0, "asr", 1.0, ()))]


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(0, 12))
def test_no_order_of_deaths_loses_or_doubles_a_file(tmp_path_factory, deaths, room, count):
    folder = tmp_path_factory.mktemp("run")
    ledger = Ledger(folder / "run.sqlite")
    names = [f"file{n}" for n in range(count)]
    found = list(run(ledger.plan(names, ""), ledger, Scripted(list(deaths), room), partial(write, folder)))
    assert sorted(path for path, _ in found) == sorted(names)
    for path, result in found:
        assert (folder / f"{path}.txt").exists() == isinstance(result, Transcript)
    ledger.close()


@given(st.lists(st.text("abc/", min_size=1, max_size=8), max_size=30, unique=True), st.integers(1, 5))
def test_shards_are_disjoint_and_together_all(names, count):
    files = [f"/data/{name.strip('/') or 'x'}.wav" for name in names]
    parts = [shard(files, number, count) for number in range(count)] if files else []
    assert sorted(file for part in parts for file in part) == sorted(files)
    moved = [file.replace("/data", "/elsewhere") for file in files]
    assert [[f.replace("/elsewhere", "/data") for f in shard(moved, n, count)] for n in range(len(parts))] == parts


@pytest.mark.parametrize("engine", ["cluster", "shard=3/3", "shard=1", "shard=a/b"])
def test_engines_that_do_not_exist_are_refused(engine):
    with pytest.raises(ConfigError, match="engine"):
        parse_shard(engine)


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Real clips, several times."""
    folder = tmp_path / "corpus"
    for copy in range(2):
        (folder / str(copy)).mkdir(parents=True)
        for clip in CLIPS.parent.glob("*.ogg"):
            (folder / str(copy) / clip.name).write_bytes(clip.read_bytes())
    (folder / "0" / "broken.wav").write_bytes(b"RIFF and no more")
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*.jsonl"))}


def test_a_driver_that_is_killed_goes_on_where_it_was(corpus, checkpoint, tmp_path):
    shared = ("--model", checkpoint, "--format", "jsonl", "--output-dir")
    plain = CliRunner().invoke(app, [str(a) for a in ("transcribe", corpus, *shared, tmp_path / "plain")])
    assert plain.exit_code == 2
    expected = texts(tmp_path / "plain")
    words = [str(a) for a in ("transcribe", corpus, *shared, tmp_path / "out", "--engine", "local", "--workers", 2)]
    command = [sys.executable, "-m", "speech.cli.app", *words]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while driver.poll() is None and len(texts(tmp_path / "out")) <= 1:
        time.sleep(0.005)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL, "it was too quick to be killed"
    resumed = CliRunner().invoke(app, words)
    assert resumed.exit_code == 2
    assert f"{len(expected)} done, 1 failed" in resumed.stderr
    assert "need nothing" in resumed.stderr
    assert texts(tmp_path / "out") == expected
    again = CliRunner().invoke(app, words)
    assert f"{len(expected) + 1} of {len(expected) + 1} need nothing" in again.stderr


def test_shards_together_are_the_whole(corpus, checkpoint, tmp_path):
    shared = ("--model", checkpoint, "--format", "jsonl", "--output-dir", tmp_path / "out")
    for number in range(2):
        found = CliRunner().invoke(app, [*map(str, ("transcribe", corpus, *shared)), "--engine", f"shard={number}/2"])
        assert found.exit_code in (0, 2), found.output
    manifest = tmp_path / "list.jsonl"
    clips = sorted(corpus.rglob("*.ogg"))
    manifest.write_text(
        "".join(
            json.dumps({"id": str(n), "audio": str(c), "duration": 1.0, "lang": "eng", "text": "x"}) + "\n"
            for n, c in enumerate(clips)
        )
    )
    whole = CliRunner().invoke(
        app,
        [
            "transcribe",
            str(manifest),
            "--model",
            str(checkpoint),
            "--format",
            "jsonl",
            "--output-dir",
            str(tmp_path / "w"),
        ],
    )
    assert whole.exit_code == 0
    assert texts(tmp_path / "out") == texts(tmp_path / "w")


def test_an_engine_needs_a_place_for_results_and_files(checkpoint, wave, tmp_path):
    for words, message in (
        ([wave, "--engine", "local"], "needs --output-dir"),
        (["-", "--engine", "local", "--output-dir", tmp_path], "standard input"),
    ):
        found = CliRunner().invoke(app, ["transcribe", *map(str, words), "--model", str(checkpoint)])
        assert isinstance(found.exception, SpeechError)
        assert message in str(found.exception)
