"""Two processes train what one trains, as copies (ddp) and in parts (fsdp); one is killed, the run goes on later."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from safetensors.torch import load_file

from speech import Recognizer
from speech.errors import ConfigError
from speech.train.asr.run import train
from speech.train.asr.schema import register
from speech.train.loop import distributed, stream
from speech.train.loop.callbacks import METRICS, read_metrics
from speech.train.loop.config import TrainerConfig
from speech.train.loop.distributed import Sharded, end_with_launcher, strategy
from speech.train.loop.state import CHECKPOINT, read_state
from speech.train.loop.stream import Stream

ROOT = Path(__file__).parents[3]
STEPS, KILL_AFTER = 20, 10
OVERRIDES = [
    "debug=default", "init=scratch", "name=tiny", "trainer.accelerator=cpu", "trainer.precision=float32",
    "trainer.progress=false", "tokenizer.size=40",
    "model.inter_layers=[1]", "model.encoder.dim=32", "model.encoder.layers=2", "model.encoder.heads=2",
    "model.encoder.hidden=64", "data.batches.batch_s=6", "data.batches.max_s=5", "data.batches.concatenate_max_s=4",
    "optimizer.lr=3e-3", "optimizer.warmup=4", "optimizer.heads_first=3", "optimizer.frozen_layers=1",
    f"trainer.max_steps={STEPS}", "trainer.validate_every=5", "trainer.checkpoint_every=4", "trainer.average_every=5",
    "trainer.average=2", "trainer.log_every=1",
]  # fmt: skip
VICTIMS = {"ddp": 1, "fsdp": 0}
"""Rank that is killed."""


@dataclass
class Story:
    """What happened to a run of two processes, killed and started again."""

    folder: Path
    reached: int
    """Step on record when a process was killed."""
    ended_s: float
    """Seconds from then until no process of the run was left."""
    code: int
    copy: Path
    """The folder as the kill left it."""
    output: str
    """Standard output of the second start."""


def curve(folder: Path) -> dict[tuple[float, str], float]:
    """(step, name) -> number, of everything that is a loss."""
    rows = read_metrics(folder / METRICS)
    assert len({(row["step"], "dev/loss" in row) for row in rows}) == len(rows)
    timed = {"step", "seconds", "audio_per_s"}
    return {(row["step"], name): value for row in rows for name, value in row.items() if name not in timed}


def one_process(corpus: Path, output: Path) -> Path:
    """The same training in this process, which takes twice as many batches a step."""
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        own = [f"data.root={corpus}", f"output={output}", "trainer=cpu", "trainer.accumulate=2"]
        config = OmegaConf.to_object(compose("owsm_ctc", overrides=[*OVERRIDES, *own]))
    train(config)  # type: ignore[arg-type]
    return output


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def live(kind: str, corpus: Path, root: Path, environment: dict[str, str]) -> Story:
    folder = root / kind
    recipe = [sys.executable, str(ROOT / "recipes" / "owsm_ctc" / "train.py"), f"trainer={kind}", "trainer.devices=2"]
    command = [*recipe, *OVERRIDES, f"data.root={corpus}", f"output={folder}"]
    with (root / f"{kind}.log").open("w") as log:
        first = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        reached = 0
        while reached < KILL_AFTER and first.poll() is None:
            time.sleep(0.02)
            rows = read_metrics(folder / METRICS) if (folder / METRICS).is_file() else []
            reached = int(rows[-1]["step"]) if rows else 0  # the file may have been made, and no line written
        [child] = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        os.kill([first.pid, int(child)][VICTIMS[kind]], signal.SIGKILL)
        killed = time.monotonic()
        code = first.wait(timeout=60)
        while is_alive(int(child)) and time.monotonic() - killed < 60:
            time.sleep(0.1)
    ended_s = time.monotonic() - killed
    shutil.copytree(folder, root / f"{kind}_copy")
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert second.returncode == 0, second.stderr[-3000:]
    return Story(folder, reached, ended_s, code, root / f"{kind}_copy", second.stdout)


@pytest.fixture(scope="module")
def environment(pytestconfig) -> dict[str, str]:
    """Of the processes that train."""
    found = {**os.environ, "OMP_NUM_THREADS": "1"}
    if found.pop("PYTHONDONTWRITEBYTECODE", ""):  # twelve starts would each compile torch and Lightning again
        found["PYTHONPYCACHEPREFIX"] = str(pytestconfig.cache.mkdir("compiled"))
    return found


@pytest.mark.parametrize("kind", VICTIMS)
def test_a_loss_that_is_none_ends_all_processes_with_one_line(corpus, environment, tmp_path, kind):
    recipe = [sys.executable, str(ROOT / "recipes" / "owsm_ctc" / "train.py"), f"trainer={kind}", "trainer.devices=2"]
    own = ["optimizer.lr=1e30", "optimizer.warmup=1", "optimizer.heads_first=0", "trainer.checkpoint_every=1"]
    command = [*recipe, *OVERRIDES, *own, f"data.root={corpus}", f"output={tmp_path / 'run'}"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert ran.returncode == 1, ran.stderr[-3000:]
    assert ran.stdout == ""
    [said] = [line for line in ran.stderr.splitlines() if line.startswith("error:")]
    assert re.match(r"error: step \d+: .* finite.*; utterances: .*train\d+", said), said
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "run" / "model").exists()


@pytest.fixture(scope="module")
def single(corpus, tmp_path_factory) -> Path:
    return one_process(corpus, tmp_path_factory.mktemp("single") / "run")


@pytest.fixture(scope="module")
def stories(corpus, environment, tmp_path_factory) -> dict[str, Story]:
    root = tmp_path_factory.mktemp("two")
    with ThreadPoolExecutor(len(VICTIMS)) as pool:
        return dict(zip(VICTIMS, pool.map(lambda kind: live(kind, corpus, root, environment), VICTIMS), strict=True))


@pytest.mark.parametrize("kind", VICTIMS)
def test_a_killed_process_ends_the_run_and_leaves_a_checkpoint(stories, kind):
    story = stories[kind]
    assert story.code != 0
    assert story.ended_s < 30
    assert KILL_AFTER <= story.reached < STEPS
    assert read_state(story.copy / CHECKPOINT)["global_step"] >= 8
    assert not (story.copy / "model").exists()


@pytest.mark.parametrize("kind", VICTIMS)
def test_two_processes_killed_and_resumed_have_the_loss_curve_of_one(single, stories, kind):
    expected, found = curve(single), curve(stories[kind].folder)
    assert sum(name == "train/final" for _, name in found) == STEPS
    assert sum(name == "dev/final" for _, name in found) == STEPS // 5
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", VICTIMS)
def test_their_result_is_the_model_of_one(single, stories, corpus, kind):
    story = stories[kind]
    assert story.output.count("checkpoint:") == 1
    expected, found = (load_file(path / "model" / "model.safetensors") for path in (single, story.folder))
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert torch.allclose(found[key].float(), value.float(), atol=2e-3), key
    recognizer = Recognizer.from_pretrained(str(story.folder / "model"))
    assert recognizer.transcribe(corpus / "test0.wav").duration_s == 0.8


@pytest.mark.parametrize("kind", VICTIMS)
def test_one_process_goes_on_where_two_stopped(single, stories, corpus, kind):
    assert curve(one_process(corpus, stories[kind].copy)) == pytest.approx(curve(single), rel=1e-4)


class Epochs:
    """Stands for `TrainBatches`: epochs of 3, 2, 3, 2, .. batches, each a pair of epoch and number."""

    def size(self, epoch: int) -> int:
        return 3 - epoch % 2

    def batch(self, epoch: int, index: int) -> tuple[int, int]:
        assert 0 <= index < self.size(epoch)
        return epoch, index


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_and_their_workers_take_turns_over_all_epochs(monkeypatch, workers):
    whole = [(epoch, number) for epoch in range(8) for number in range(3 - epoch % 2)]

    def read(start: int, rank: int, worker: int) -> list[tuple[int, int]]:
        monkeypatch.setattr(stream, "get_worker_info", lambda: SimpleNamespace(id=worker, num_workers=workers))
        return list(Stream(Epochs(), start, 6, (rank, 3)))

    for start in (0, 2):
        parts = [read(start, rank, worker) for worker in range(workers) for rank in range(3)]
        assert [batch for row in zip(*parts, strict=True) for batch in row] == whole[3 * start : 18]


def test_no_batch_at_all_is_said():
    class Empty(Epochs):
        def size(self, epoch: int) -> int:
            return 0

    with pytest.raises(ConfigError, match="no batch"):
        next(iter(Stream(Empty(), 0, 1)))


def test_strategies_by_name():
    assert isinstance(strategy(TrainerConfig(strategy="fsdp", devices=2)), Sharded)
    assert strategy(TrainerConfig(strategy="ddp")) == "ddp_find_unused_parameters_true"
    assert strategy(TrainerConfig()) == "auto"


def test_a_process_ends_with_the_one_that_started_it(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(distributed.os, "_exit", lambda code: ended.set())
    monkeypatch.setenv("SPEECH_LAUNCHER_PID", "")
    end_with_launcher()
    assert os.environ["SPEECH_LAUNCHER_PID"] == str(os.getpid())  # what this process starts has another parent
    assert not ended.is_set()
    monkeypatch.setenv("LOCAL_RANK", "1")
    end_with_launcher()
    assert ended.wait(5)
