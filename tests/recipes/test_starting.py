"""Recipes as they are called: what is wrong is one line on stderr and exit code 1, and Ctrl-C is quiet and 130."""

from __future__ import annotations

import json
import logging
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from hydra.core.global_hydra import GlobalHydra

from speech.cli import recipe
from speech.cli.recipe import expected, reported, start_command
from speech.cli.training import _named
from speech.errors import DataError, SpeechError
from speech.train.loop.state import read_state

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "owsm_ctc/prepare.py", "owsm_ctc/language_model.py", "owsm_ctc/shards.py", "language_adapters/teach.py",
    "code_switching/prepare.py", "code_switching/sentences.py", "hybrid/prepare.py",
]  # fmt: skip


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    """Runs a recipe as if it had been called; its exit code and what it wrote."""
    handlers = logging.getLogger().handlers[:]
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")

    def run(script: str, *arguments: str) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        monkeypatch.syspath_prepend(ROOT / "recipes" / Path(script).parent)  # where Python looks for its siblings
        capsys.readouterr()
        code: object = 0
        try:
            runpy.run_path(str(ROOT / "recipes" / script), run_name="__main__")
        except SystemExit as error:
            code = error.code or 0
        finally:
            GlobalHydra.instance().clear()
        return SimpleNamespace(code=code, **dict(zip(("out", "err"), capsys.readouterr(), strict=True)))

    yield run
    logging.getLogger().handlers[:] = handlers


def one_line(ran: SimpleNamespace) -> str:
    """The error of a run, which is all that it says."""
    assert ran.code == 1, ran
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1, ran.err
    assert "Traceback" not in ran.err
    assert "HYDRA_FULL_ERROR" not in ran.err
    return str(ran.err.removeprefix("error: ").rstrip("\n"))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optimizer.lr=nan", "optimizer.lr is nan, expected more than 0"),
        ("trainer.max_steps=0", "trainer.max_steps 0, expected at least 1"),
        ("data.batches.max_s=nan", "data.batches.max_s is nan, expected more than 0"),
        ("optimizer.betas=[.9,1]", "optimizer.betas[1] 1, expected at least 0 and less than 1"),
        ("optimizer.lrr=1", "Key 'lrr' not in 'OptimizerConfig'"),
        ("+optimizer.nope=1", "'OptimizerConfig' object has no attribute 'nope'"),
        ("+nope=1", "'TrainConfig' object has no attribute 'nope'"),
        ("optimizer.lr=abc", "Value 'abc' of type 'str' could not be converted to Float"),
        ("trainer=none", "Could not find 'trainer/none'. Available options in 'trainer': cpu ddp fsdp gpu"),
        ("optimizer.lr", "'optimizer.lr'"),
        ("output=/proc/run", "/proc/run: cannot be read or written: no such file or directory"),
    ],
)
def test_training_that_is_told_nonsense_says_so_in_a_line(start, tmp_path, override, said):
    output = [f"output={tmp_path / 'run'}"] if not override.startswith("output") else []
    ran = start("owsm_ctc/train.py", override, "data.root=nowhere", *output)
    assert said in one_line(ran)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("name", ["language_adapters", "code_switching", "hybrid"])
def test_so_does_every_training(start, tmp_path, name):
    for override in ("optimizer.lr=nan", "optimizer.lrr=1"):
        ran = start(f"{name}/train.py", override, f"output={tmp_path / 'run'}", "data.root=nowhere")
        assert override.split("=")[0] in one_line(ran)


def test_an_experiment_that_is_not_there_is_named_with_those_that_are(start):
    said = one_line(start("owsm_ctc/train.py", "experiment=nothing"))
    assert "Could not find 'experiment/nothing'" in said
    assert "quickstart" in said


def test_help_and_the_composed_configuration_are_printed(start):
    ran = start("owsm_ctc/train.py", "-h")
    assert (ran.code, ran.err) == (0, "")
    assert "quickstart" in ran.out
    ran = start("owsm_ctc/train.py", "--cfg", "job", "optimizer.lr=0.5")
    assert (ran.code, ran.err) == (0, "")
    assert "lr: 0.5" in ran.out
    ran = start("language_adapters/train.py", "--cfg", "job", "language=ita")
    assert (ran.code, ran.err) == (0, "")
    assert "language: ita" in ran.out


def test_several_runs_in_one_call_are_several_runs(start, tmp_path):
    sweep = f"hydra.sweep.dir={tmp_path}/sweep"
    ran = start("owsm_ctc/train.py", "-m", sweep, f"output={tmp_path}/${{seed}}", "seed=1,2", "data.root=/nowhere")
    assert "/nowhere/train.jsonl: no such manifest" in one_line(ran)
    assert (tmp_path / "1").is_dir()


def test_who_wants_a_traceback_has_one(start, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(SpeechError, match=r"optimizer\.lr"):
        start("owsm_ctc/train.py", "optimizer.lr=nan")


@pytest.mark.parametrize("script", COMMANDS)
def test_other_recipes_say_in_a_line_what_they_cannot_read_or_write(start, tmp_path, script):
    arguments = {
        "owsm_ctc/prepare.py": ("--source", "a:eng"),
        "language_adapters/teach.py": ("--language", "ita"),
        "code_switching/sentences.py": ("--group", "(a)"),
    }.get(script, ())
    (tmp_path / "train.jsonl").write_bytes(b"\xff")
    manifest = tmp_path / "train.jsonl" if script.endswith(("sentences.py", "shards.py")) else tmp_path
    model = script.endswith("language_model.py")
    wrong_output = ("/proc/none/out", str(tmp_path)) if model else (str(manifest), "/proc/none/out/a.jsonl")
    assert "cannot be written: no such file or directory" in one_line(start(script, *wrong_output, *arguments))
    if model:
        assert "has no config.json" in one_line(start(script, str(tmp_path), str(tmp_path)))
    else:
        assert "train.jsonl:1:json: is not UTF-8" in one_line(start(script, str(manifest), str(tmp_path), *arguments))
    assert start(script, "--help").code == 0


@pytest.mark.parametrize(
    ("group", "said"), [("(", "is no regular expression"), ("abc", "has no group"), ("nothing(x)", "no id matches")]
)
def test_a_group_that_is_none_is_said(start, tmp_path, group, said):
    script = "code_switching/sentences.py"
    ran = start(script, str(ROOT / "corpus" / "dev.jsonl"), str(tmp_path), "--group", group)
    assert said in one_line(ran)


def test_errors_that_are_faults_of_the_program_stay_tracebacks():
    with pytest.raises(ZeroDivisionError), reported():
        raise ZeroDivisionError
    assert expected(ValueError("x")) is None
    assert _named(ValueError("x")) is None
    assert str(expected(OSError(28, "No space left on device", "a\n[b]"))) == (
        "a\\n[b]: cannot be read or written: no space left on device"
    )
    found = DataError("x")
    assert expected(found) is found


def test_ctrl_c_is_quiet_and_130(capsys, monkeypatch):
    def main() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit) as ended:
        start_command(main)
    assert ended.value.code == 130
    with pytest.raises(SystemExit) as ended, reported(farewell=lambda: "goes [on]"):
        raise KeyboardInterrupt
    assert ended.value.code == recipe.INTERRUPTED == 130
    assert capsys.readouterr().err == "goes [on]\n"


def test_a_parameter_that_typer_refuses_is_its_own_matter(monkeypatch):
    def main(count: int) -> None:
        typer.echo(count)

    monkeypatch.setattr(sys, "argv", ["x", "many"])
    with pytest.raises(SystemExit) as ended:
        start_command(main)
    assert ended.value.code == 2


def test_a_run_that_is_stopped_says_how_it_goes_on_and_does(start, tmp_path, caplog):
    output = tmp_path / "a [b] #1 ü"
    rows = [json.loads(line) for line in (ROOT / "corpus" / "train.jsonl").read_text("utf-8").splitlines()]
    short = sorted((row for row in rows if row["lang"] == "eng"), key=lambda row: row["duration"])[4:9]
    for part, chosen in (("train", short[:3]), ("dev", short[3:4]), ("test", short[4:])):
        changed = [row | {"audio": str(ROOT / "corpus" / row["audio"]), "translations": {}} for row in chosen]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed), "utf-8")
    command = [
        sys.executable, str(ROOT / "recipes" / "owsm_ctc" / "train.py"), "debug=default", "init=scratch",
        f"output='{output}'", f"data.root='{tmp_path}'", "trainer.progress=false", "trainer.threads=1",
        "trainer.accelerator=cpu", "model.encoder.dim=16", "model.encoder.layers=1", "model.encoder.heads=2",
        "model.encoder.hidden=16", "model.inter_layers=[1]", "optimizer.frozen_layers=0", "data.augment=null",
        "tokenizer.size=60", "evaluate=false", "trainer.checkpoint_every=1", "trainer.max_steps=100000",
        "trainer.validate_every=100000",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not (output / "last.ckpt").is_file() and first.poll() is None:
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=120)
    finally:
        first.kill()
    assert first.returncode == 130, err[-3000:]
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1] == f"stopped; the same command goes on from {output / 'last.ckpt'}"
    steps = read_state(output / "last.ckpt")["global_step"] + 2
    changed = [f"trainer.max_steps={steps}", f"trainer.validate_every={steps}"]
    second = start("owsm_ctc/train.py", *command[2:-2], *changed)
    assert second.code == 0, second.err[-3000:]
    assert "resuming at step" in second.err + caplog.text  # the second runs in this process, whose log pytest takes
    assert second.out.startswith(f"checkpoint: {output}/model\n")
