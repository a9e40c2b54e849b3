"""What goes wrong while a run trains: numbers that are none, files that cannot be read, a full disk, Ctrl-C."""

import json
import logging
import shutil
import signal
from pathlib import Path

import pytest
import torch

from speech.data.plan import BatchConfig
from speech.errors import ConfigError, DataError, FileError, ModelError, SpeechError, TrainingError
from speech.metrics.edit.alignment import ErrorCounts
from speech.tensors import not_finite
from speech.train.asr.card import model_card
from speech.train.asr.config import DataConfig, TokenizerConfig, TrainConfig
from speech.train.asr.corpus import read_corpus
from speech.train.asr.evaluate import ScoreRow, ScoreTable
from speech.train.asr.module import CtcModule
from speech.train.asr.run import train
from speech.train.loop.callbacks import Metrics, append_line, read_metrics
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.loop.curve import draw_curve
from speech.train.loop.state import CHECKPOINT, read_state
from tests.changes import changed
from tests.disk import small_disk
from tests.train.models import smallest_ctc


def tiny(corpus: Path, output: Path, **trainer: object) -> TrainConfig:
    settings = {"max_steps": 4, "validate_every": 4, "checkpoint_every": 1, "average_every": 2, "average": 2}
    return TrainConfig(
        output=str(output),
        model=smallest_ctc(),
        data=DataConfig(
            root=str(corpus),
            augment=None,
            batches=BatchConfig(batch_s=8.0, max_s=5.0, concatenate_max_s=4.0, concatenate_probability=0.0),
            workers=0,
        ),
        tokenizer=TokenizerConfig(size=40),
        optimizer=OptimizerConfig(lr=1e-3, warmup=1),
        trainer=TrainerConfig(**(settings | {"progress": False, "accelerator": "cpu"} | trainer)),
        evaluate=False,
    )


def bad_from(step: int, what: str, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Makes the loss, or only its gradient, not finite in that step; the ids of the batches that were seen in it."""
    original, seen = CtcModule.loss, []

    def loss(module, batch, generator):
        found, parts = original(module, batch, generator)
        if generator is not None and module.global_step + 1 == step:
            seen.append(batch.ids)
            if what == "gradient":  # 0, but its derivative is infinite times 0
                return found + torch.sqrt(module.model.embed.weight.sum() * 0), parts
            found = found * float(what)
        return found, parts

    monkeypatch.setattr(CtcModule, "loss", loss)
    return seen


@pytest.mark.parametrize("what", ["nan", "inf", "gradient"])
@pytest.mark.parametrize("clip", [5.0, 0.0])
def test_a_number_that_is_none_ends_the_run_with_step_and_utterances(corpus, tmp_path, monkeypatch, what, clip):
    config = tiny(corpus, tmp_path / "run", accumulate=2)
    config = changed(config, {"optimizer.clip": clip})
    seen = bad_from(3, what, monkeypatch)
    with pytest.raises(TrainingError) as error:
        train(config)
    said = "the gradient is not finite" if what == "gradient" else f"the loss is {what}"
    assert str(error.value).startswith(f"step 3: {said}, expected a finite number; utterances: ")
    assert len(seen) == 2
    assert all(name in str(error.value) for ids in seen for name in ids)
    assert f"{tmp_path / 'run' / CHECKPOINT} is that of an earlier step" in str(error.value)
    state = read_state(tmp_path / "run" / CHECKPOINT)
    assert state["global_step"] == 2
    assert not (tmp_path / "run" / "model").exists()
    assert not_finite(state["state_dict"]) is None


def test_a_rate_that_is_far_too_high_leaves_no_model(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "run")
    config = changed(config, {"optimizer.lr": 1e30})
    with pytest.raises(SpeechError, match="finite"):
        train(config)
    assert not (tmp_path / "run" / "model").exists()
    config = changed(config, {"trainer.max_steps": 1, "output": str(tmp_path / "one")})
    with pytest.raises(ModelError, match="finite"):  # too large for float16, in which the result is stored
        train(config)
    assert not (tmp_path / "one" / "model").exists()


def test_weights_that_became_nan_are_not_what_a_run_goes_on_from(corpus, tmp_path, monkeypatch):
    original = Metrics.on_train_batch_end

    def break_it(self, trainer, module, *rest):
        original(self, trainer, module, *rest)
        if trainer.global_step == 3:
            with torch.no_grad():
                module.model.ctc.linear.weight[0, 0] = float("nan")

    monkeypatch.setattr(Metrics, "on_train_batch_end", break_it)
    with pytest.raises(ModelError, match=r"ctc\.linear\.weight holds numbers that are not finite"):
        train(tiny(corpus, tmp_path / "run"))
    assert read_state(tmp_path / "run" / CHECKPOINT)["global_step"] == 2


@pytest.fixture
def damaged(corpus, tmp_path) -> Path:
    """The corpus, two of whose files of training and one of dev and test are damaged."""
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    for name in ("train5", "train11", "dev1", "test1"):
        (root / f"{name}.wav").write_bytes((root / f"{name}.wav").read_bytes()[:30])
    return root


def test_files_that_cannot_be_read_are_named_and_left_out(damaged, tmp_path, caplog):
    config = tiny(damaged, tmp_path / "run", max_steps=8)
    config = changed(config, {"data.max_unreadable": 0.05, "evaluate": True})
    with caplog.at_level(logging.WARNING):
        result = train(config)
    assert result is not None
    assert result.table is not None
    assert sum(row.utterances for row in result.table.rows.values()) == 7
    said = [record.getMessage() for record in caplog.records]
    for name in ("train: train5", "train: train11", "dev: dev1", "test: test1"):
        assert sum(line.startswith(f"{name} is left out: {damaged}/") for line in said) == 1, name
    assert "2 utterances were left out: their audio cannot be read" in said


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_more_of_them_end_the_run(damaged, tmp_path, share):
    config = tiny(damaged, tmp_path / "run", max_steps=8)
    config = changed(config, {"data.max_unreadable": share})
    most = 1 if share else 0
    with pytest.raises(DataError, match=rf"train: {most + 1} of 48 cannot be read, the last is train\d+: .*Mend"):
        train(config)
    assert not (tmp_path / "run" / "model").exists()


def test_a_file_that_is_not_there_is_said_before_anything_is_trained(corpus, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    (root / "test3.wav").unlink()
    config = tiny(root, tmp_path / "run")
    config = changed(config, {"evaluate": True})
    with pytest.raises(DataError, match=r"test\.jsonl:4:audio: no such file"):
        read_corpus(config)
    config = changed(config, {"evaluate": False})
    read_corpus(config)
    (root / "dev3.wav").unlink()
    with pytest.raises(DataError, match=r"dev\.jsonl:4:audio: no such file"):
        read_corpus(config)


def test_numbers_and_the_output_are_tried_before_anything_is_read(tmp_path):
    config = tiny(tmp_path / "nowhere", Path("/proc/run"))
    with pytest.raises(FileError, match=r"^/proc/run: cannot be written"):
        train(config)
    with pytest.raises(ConfigError, match=r"^optimizer\.lr is nan, expected more than 0$"):
        changed(config, {"optimizer.lr": float("nan")})
    with pytest.raises(ConfigError, match=r"^seed -1, expected 0 to 4\.29497e\+09$"):
        train(changed(config, {"seed": -1}))
    (tmp_path / "file").write_text("")
    config = tiny(tmp_path / "nowhere", tmp_path / "file")
    with pytest.raises(FileError, match="file: cannot be written"):
        train(config)


def test_a_disk_that_is_full_ends_the_run_and_leaves_the_last_whole_checkpoint(corpus, tmp_path, monkeypatch):
    original, disks = Metrics.on_train_batch_end, []

    def fill_it(self, trainer, module, *rest):
        original(self, trainer, module, *rest)
        if trainer.global_step == 3 and not disks:
            disks.append(small_disk(20_000))
            disks[0].__enter__()

    monkeypatch.setattr(Metrics, "on_train_batch_end", fill_it)
    try:
        with pytest.raises(FileError, match=r"last\.ckpt: cannot be written: file too large$"):
            train(tiny(corpus, tmp_path / "run"))
    finally:
        disks[0].__exit__(None, None, None)
    assert read_state(tmp_path / "run" / CHECKPOINT)["global_step"] == 2
    assert not list((tmp_path / "run").rglob(".*partial"))
    monkeypatch.undo()
    assert train(tiny(corpus, tmp_path / "run")) is not None


def test_ctrl_c_ends_a_run_after_the_batch_and_its_checkpoint(corpus, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Metrics, "on_train_batch_end", lambda *_: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        train(tiny(corpus, tmp_path / "run"))
    assert read_state(tmp_path / "run" / CHECKPOINT)["global_step"] == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_record_has_null_where_there_is_no_number(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step, value in ((1, "2.5"), (2, "null"), (3, "1.5")):
        append_line(path, f'{{"step": {step}, "train/final": {value}, "dev/final": {value}}}')
    path.write_text(path.read_text() + '{"step": 4, "train/fi')  # as a kill leaves it
    assert [row["train/final"] for row in read_metrics(path)] == [2.5, None, 1.5]
    draw_curve(path, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(FileError, match="cannot be written"):
        append_line(tmp_path / "none" / "metrics.jsonl", "{}")
    with pytest.raises(FileError, match="cannot be written"):
        draw_curve(path, Path("/proc/none/curve.png"))


def test_a_rate_against_nothing_is_null_in_a_table_and_a_dash_in_a_card(tmp_path):
    invented = ErrorCounts(insertions=2)
    assert invented.rate == float("inf")
    record = ScoreTable({"deu": ScoreRow(1, invented, invented, 0)}).to_dict()
    assert json.loads(json.dumps(record, allow_nan=False))["languages"]["deu"]["wer"] is None
    info = {"hours": {"deu": 1.0}, "sources": [], "test": record}
    assert "| German | 1 | - | - | 0.000 |" in model_card(tiny(tmp_path, tmp_path), info)
