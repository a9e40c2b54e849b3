"""Training of a tiny random Whisper's decoder: it learns, resumes exactly, leaves the rest as it is, and says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from speech.data.manifest import read_manifest, write_manifest
from speech.errors import ConfigError, DataError
from speech.models.checkpoint import LabelCheckpoint, load_label_checkpoint, save_label_checkpoint
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.train.asr.config import DataConfig
from speech.train.label.config import LabelConfig
from speech.train.label.run import mean, train_label
from speech.train.loop.averaging import average, snapshots
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.loop.config import OptimizerConfig, ParallelStrategy, TrainerConfig
from speech.train.loop.state import CHECKPOINT
from tests.changes import changed
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper
from tests.train.label.rows import settings, utterance


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "base"
    checkpoint = LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {"source": "somebody/whisper-tiny"})
    save_label_checkpoint(path, checkpoint, card="# base\n")
    return path


def tiny(base: Path, corpus: Path, output: Path, **trainer: object) -> LabelConfig:
    steps = {"max_steps": 6, "validate_every": 3, "checkpoint_every": 1, "average_every": 2, "average": 2}
    return LabelConfig(
        name="tiny",
        base=str(base),
        output=str(output),
        data=DataConfig(root=str(corpus), workers=0),
        label=settings(joined=0.3, joined_s=[2.0, 3.0], joined_rows=1, nonspeech=0.1, augment=0.3, epoch=4),
        optimizer=OptimizerConfig(lr=1e-2, warmup=1),
        trainer=TrainerConfig(
            **{"log_every": 1, "progress": False, "accelerator": "cpu", "precision": "float32"} | steps | trainer
        ),
        storage="float32",
    )


def trained(config: LabelConfig) -> dict[str, Tensor]:
    result = train_label(config)
    assert result is not None
    return load_label_checkpoint(result).model.state_dict()


@pytest.fixture(scope="module")
def whole(base, corpus, tmp_path_factory) -> Path:
    """A run of six steps over two epochs, which nobody may change."""
    result = train_label(tiny(base, corpus, tmp_path_factory.mktemp("whole") / "run"))
    assert result is not None
    return result


def test_the_result_is_kept_of_the_way_from_the_base_to_the_mean_of_the_last_snapshots(base, whole):
    before, after = load_label_checkpoint(base).model.state_dict(), load_label_checkpoint(whole).model.state_dict()
    folder = whole.parent / "snapshots"
    assert [path.stem for path in snapshots(folder)] == ["00000004", "00000006"]
    moved = 0
    for name, value in average(snapshots(folder)).items():
        old = before[f"decoder.{name}"]
        torch.testing.assert_close(after[f"decoder.{name}"], old + 0.5 * (value - old), atol=1e-6, rtol=1e-5)
        moved += not torch.equal(value, old)
    assert moved > 20


def test_encoder_embedding_and_positions_stay_to_the_last_bit(base, whole):
    before, after = load_label_checkpoint(base).model.state_dict(), load_label_checkpoint(whole).model.state_dict()
    resting = [name for name in before if name.startswith(("encoder.", "decoder.embed.", "decoder.positions"))]
    assert len(resting) > 20
    assert all(torch.equal(before[name], after[name]) for name in resting)
    layers = [name for name in before if name.startswith("decoder.layers.")]
    assert not any(torch.equal(before[name], after[name]) for name in layers)


def test_mean_keeps_what_it_is_told():
    old, new = {"a": torch.tensor([0.0, 2.0])}, {"a": torch.tensor([4.0, 2.0])}
    assert mean(old, new, 0.25)["a"].tolist() == [1.0, 2.0]
    assert mean(old, new, 0.0)["a"].tolist() == [0.0, 2.0]
    assert mean(old, new, 1.0)["a"].tolist() == [4.0, 2.0]


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(base, corpus, whole, tmp_path, monkeypatch):
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 5:
            raise Killed

    config = tiny(base, corpus, tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train_label(config)
    assert (tmp_path / "cut" / CHECKPOINT).is_file()
    expected, found = load_label_checkpoint(whole).model.state_dict(), trained(config)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    losses = [row["train/text"] for row in _steps(whole.parent)]
    assert losses == [row["train/text"] for row in _steps(tmp_path / "cut")]
    assert len(losses) == 6


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Path:
    """A manifest of synthetic speech in Spanish."""
    folder = tmp_path_factory.mktemp("spoken")
    made = {"source": "a synthesizer", "licence": "CC-BY-4.0", "translations": {"eng": "One"}}
    write_manifest([utterance(folder, f"s{n}", f"Uno {n}", "spa", **made) for n in range(4)], folder / "train.jsonl")
    return folder / "train.jsonl"


def test_a_killed_run_with_synthetic_speech_resumes_to_the_same_weights(base, corpus, spoken, tmp_path, monkeypatch):
    def config(folder: Path) -> LabelConfig:
        made = tiny(base, corpus, folder)
        made = changed(made, {"label.synthetic": [str(spoken)], "label.synthetic_share": 0.5})
        return made

    expected, original = trained(config(tmp_path / "whole")), Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 3:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train_label(config(tmp_path / "cut"))
    found = trained(config(tmp_path / "cut"))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert any(row["train/teacher"] > 0 for row in _steps(tmp_path / "cut"))
    card = (tmp_path / "whole" / "model" / "README.md").read_text()
    assert "0.0 h of synthetic speech in 1 languages" in card
    assert "| a synthesizer | CC-BY-4.0 |" in card
    record = (tmp_path / "whole" / "model" / "config.json").read_text()
    assert json.loads(record)["info"]["synthetic_hours"].keys() == {"spa"}
    assert str(spoken.parent) not in card + record


def test_synthetic_speech_that_teaches_nothing_is_said(base, corpus, spoken, tmp_path):
    config = tiny(base, corpus, tmp_path / "run")
    config = changed(config, {"label.synthetic": [str(tmp_path / "none.jsonl")]})
    with pytest.raises(DataError, match="no such manifest"):
        train_label(config)
    config = changed(config, {"label.synthetic": [str(spoken)], "data.languages": ["deu", "eng"]})
    with pytest.raises(ConfigError, match=r"no utterance of label\.synthetic"):
        train_label(config)


def _steps(folder: Path) -> list[dict[str, float]]:
    return [row for row in read_metrics(folder / "metrics.jsonl") if "train/text" in row]


def test_a_finished_run_is_not_repeated_and_an_old_one_not_overwritten(base, corpus, tmp_path):
    config = tiny(base, corpus, tmp_path / "run", max_steps=2)
    first, steps = trained(config), len(read_metrics(tmp_path / "run" / "metrics.jsonl"))
    again = trained(config)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert len(read_metrics(tmp_path / "run" / "metrics.jsonl")) == steps
    config = changed(config, {"resume": False})
    with pytest.raises(ConfigError, match="holds a run"):
        train_label(config)


def test_without_snapshots_the_last_weights_count(base, corpus, tmp_path):
    config = tiny(base, corpus, tmp_path / "run", max_steps=2, average=0)
    config = changed(config, {"kept": 1.0})
    found = trained(config)
    last = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["state_dict"]
    for name, value in last.items():
        torch.testing.assert_close(found[name.replace("model.", "decoder.", 1)], value, atol=1e-6, rtol=1e-5)
    config = changed(config, {"kept": 0.0})
    unmoved, before = trained(config), load_label_checkpoint(base).model.state_dict()
    assert all(torch.equal(unmoved[name], before[name]) for name in before)


def test_it_learns(base, corpus, tmp_path):
    config = tiny(base, corpus, tmp_path / "run", max_steps=120, validate_every=40, checkpoint_every=120, average=0)
    config = changed(config, {"label": settings(single=8, drawn=16), "data.augment": None})
    train_label(config)
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/text" in row]
    assert rows[-1]["dev/text"] < 0.5 * _steps(tmp_path / "run")[0]["train/text"]
    assert rows[-1]["dev/text"] < rows[0]["dev/text"]
    assert rows[-1]["dev/language"] < rows[0]["dev/language"] + 0.1 < _steps(tmp_path / "run")[0]["train/language"]
    assert (tmp_path / "run" / "learning_curve.png").stat().st_size > 5000


def test_the_card_says_what_it_heard_and_no_path_of_this_machine(base, whole, tmp_path):
    card, record = (whole / "README.md").read_text(), json.loads((whole / "config.json").read_text())
    assert "A Whisper model (somebody/whisper-tiny) whose decoder layers were trained for 6 steps" in card
    assert "on 0.0 h of speech in 2 languages" in card
    assert "0.5 times the published ones and 0.5 times the trained ones" in card
    assert "| tones | CC0 |" in card
    info = record["info"]
    assert (info["name"], info["steps"], info["kept"]) == ("tiny", 6, 0.5)
    assert info["sources"] == [["tones", "CC0"]]
    assert record["model"]["true_length"]
    assert not load_label_checkpoint(base).model.config.true_length
    assert info["hours"].keys() == {"deu", "eng"}
    for path in whole.iterdir():
        content = path.read_bytes()
        assert str(base).encode() not in content
        assert str(whole).encode() not in content


def test_a_base_from_a_folder_of_this_machine_is_called_by_its_name(corpus, tmp_path):
    for name, info in (("unnamed", {}), ("copied", {"source": str(tmp_path / "whisper-copy"), "licence": "mit"})):
        path = tmp_path / name
        save_label_checkpoint(path, LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), info), card="# base\n")
        result = train_label(tiny(path, corpus, tmp_path / f"{name}-run", max_steps=1, average=0))
        assert result is not None
        text = (result / "README.md").read_text() + (result / "config.json").read_text()
        assert str(tmp_path) not in text
        assert f"A Whisper model ({'whisper-copy' if info else 'unnamed'})" in text
        assert ("Licence of those: mit." in text) == bool(info)


def test_the_result_translates_into_what_it_was_trained_for_and_what_was_not_there_is_said(base, corpus, tmp_path):
    heard = read_manifest(corpus / "train.jsonl", corpus)
    translated = [replace(u, translations={"eng": "One", "spa": "Uno"}) for u in heard]
    write_manifest(translated, tmp_path / "train.jsonl")
    config = changed(tiny(base, corpus, tmp_path / "run", max_steps=1, validate_every=1), {
        "data.train": str(tmp_path / "train.jsonl"), "label.targets": ["eng", "spa"], "label.translate": 1.0,
    })  # fmt: skip
    result = train_label(config)
    assert load_label_checkpoint(base).tokenizer.targets == ("eng",)
    found = load_label_checkpoint(result)
    assert found.tokenizer.targets == tuple(found.model.config.st_targets) == ("eng", "spa")
    with pytest.raises(ConfigError, match="no utterance of train has a translation into deu"):
        train_label(changed(config, {"output": str(tmp_path / "other"), "label.targets": ["deu"]}))
    with pytest.raises(ConfigError, match=r"does not know rus\."):
        train_label(changed(config, {"output": str(tmp_path / "more"), "label.targets": ["rus"]}))


def test_speech_in_other_languages_is_neither_heard_nor_named(base, corpus, tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    for part in ("train", "dev", "test"):
        rows = [json.loads(line) for line in (corpus / f"{part}.jsonl").read_text().splitlines()]
        rows = [row | {"audio": str(corpus / row["audio"])} for row in rows]
        gaelic = rows[0] | {"id": "g", "lang": "gla", "source": "unheard", "licence": "unknown"}
        (root / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, gaelic]))
    result = train_label(tiny(base, root, tmp_path / "run", max_steps=1, average=0))
    assert result is not None
    assert "unheard" not in (result / "README.md").read_text()
    assert "gla" not in json.loads((result / "config.json").read_text())["info"]["hours"]


def test_what_cannot_be_trained_is_said_before_the_first_step(base, corpus, tmp_path, monkeypatch):
    config = tiny(base, corpus, tmp_path / "run")
    config = changed(config, {"base": ""})
    with pytest.raises(ConfigError, match="base is not set"):
        train_label(config)
    config = changed(config, {"base": str(base), "trainer.strategy": ParallelStrategy.fsdp})
    with pytest.raises(ConfigError, match="fsdp"):
        train_label(config)
    config = changed(config, {"trainer.strategy": ParallelStrategy.auto})
    monkeypatch.setattr(
        "speech.models.whisper.LabelTokenizer",
        lambda data, english_only, **_: LabelTokenizer(data, english_only=True),
    )
    with pytest.raises(ConfigError, match="knows English alone"):
        train_label(config)
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_corpus_in_no_language_of_the_decoder_is_said(base, corpus, tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    for part in ("train", "dev", "test"):
        rows = [json.loads(line) for line in (corpus / f"{part}.jsonl").read_text().splitlines()]
        rows = [row | {"audio": str(corpus / row["audio"]), "lang": "gla"} for row in rows]
        (root / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ConfigError, match="no utterance is in a language that the decoder knows"):
        train_label(tiny(base, root, tmp_path / "run"))
