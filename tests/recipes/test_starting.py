"""Recipes as they are called: what is wrong is one line on stderr and exit code 1, and Ctrl-C is quiet and 130."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from speech.train.loop.state import read_state
from tests.recipes.starting import ROOT, one_line, started

COMMANDS = [
    "owsm_ctc/prepare.py", "owsm_ctc/language_model.py", "owsm_ctc/shards.py", "language_adapters/teach.py",
    "code_switching/prepare.py", "code_switching/sentences.py", "hybrid/prepare.py",
]  # fmt: skip


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


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
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
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
