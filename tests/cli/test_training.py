"""Training as it is called: what Hydra composes, prints and refuses."""

from collections.abc import Iterator

import pytest

from speech.errors import SpeechError
from tests.recipes.starting import one_line, started


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


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
