"""A made-up corpus of short German noises with English translations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speech.data.manifest import Utterance, write_manifest
from speech.models.checkpoint import LabelCheckpoint, save_label_checkpoint
from speech.train.asr.config import DataConfig
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.translation.config import DistillationConfig, TranslationConfig
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper
from tests.train.label.rows import settings, utterance

ROWS = {"translate": 1.0, "joined": 0.5, "joined_s": [1.5, 3.0], "joined_rows": 2}


def clips(folder: Path, count: int) -> list[Utterance]:
    """Half a second each, with an English text of a letter, and one in English without a translation."""
    german = [
        utterance(folder, f"d{n}", f"Wort {n}", "deu", translations={"eng": chr(97 + n % 5)}) for n in range(count)
    ]
    return [*german, utterance(folder, "e", "One")]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the manifests."""
    root = tmp_path_factory.mktemp("spoken")
    for part, count in (("train", 8), ("dev", 5), ("test", 2)):
        (root / part).mkdir()
        write_manifest(clips(root / part, count), root / f"{part}.jsonl")
    return root


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label model of random weights."""
    path = tmp_path_factory.mktemp("models") / "base"
    model = tiny_whisper()
    model.config.true_length = True
    save_label_checkpoint(path, LabelCheckpoint(model, tiny_label_tokenizer(), {}), card="# base\n")
    return path


def tiny(base: Path, root: Path, output: Path, **trainer: Any) -> TranslationConfig:
    steps = {"max_steps": 6, "validate_every": 3, "checkpoint_every": 1, "average_every": 2, "average": 2}
    usual = {"log_every": 1, "progress": False, "accelerator": "cpu", "precision": "float32"}
    return TranslationConfig(
        name="tiny",
        base=str(base),
        output=str(output),
        data=DataConfig(root=str(root), workers=0, augment=None),
        label=settings(**ROWS),
        optimizer=OptimizerConfig(lr=1e-2, warmup=1),
        trainer=TrainerConfig(**usual | steps | trainer),
        distillation=DistillationConfig(steps=0),
        storage="float32",
        evaluate=False,
    )
