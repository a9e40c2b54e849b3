"""A made-up way of taking turns: what ends with "done" is over."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from speech.models.turn_end import TurnEndModel, save_turn_end
from speech.text.turn_features import turn_features
from speech.train.end_of_turn.config import EndOfTurnTrainConfig, TurnBatchConfig
from speech.train.end_of_turn.turns import WrittenTurn, write_turns
from speech.train.loop.config import OptimizerConfig, TrainerConfig

WORDS = "the a of to red house green garden dog cat sees likes and with".split()


def made_up(count: int, seed: int, language: str = "eng") -> list[WrittenTurn]:
    """Complete sentences, all of which end with the same word."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(2, 7))) + " done." for _ in range(count)]
    return [WrittenTurn(f"{seed}-{n}", language, text, True, "made up") for n, text in enumerate(texts)]


def write_texts(folder: Path) -> Path:
    """As `recipes/dialogue/turn_texts.py` writes them."""
    folder.mkdir(parents=True)
    write_turns(folder / "train.jsonl", made_up(60, 1))
    write_turns(folder / "dev.jsonl", made_up(20, 2))
    return folder


def tiny(texts: Path, output: Path, recognised: str = "", **trainer: Any) -> EndOfTurnTrainConfig:
    """A run of a few steps."""
    steps = {"max_steps": 6, "validate_every": 3, "checkpoint_every": 1, "average_every": 2, "average": 2}
    usual = {"log_every": 1, "progress": False, "accelerator": "cpu", "precision": "float32"}
    return EndOfTurnTrainConfig(
        name="tiny",
        output=str(output),
        texts=str(texts),
        recognised=recognised,
        buckets=4096,
        rows=TurnBatchConfig(rows=16),
        optimizer=OptimizerConfig(lr=5e-2, warmup=1),
        trainer=TrainerConfig(**usual | steps | trainer),
    )


def save_tiny_turn_end(folder: Path) -> Path:
    """A model for which English turns are over that end with "done"."""
    weights = np.zeros(4096, np.float32)
    both = set(turn_features("x done", "eng", 4096)) & set(turn_features("y z done", "eng", 4096))
    weights[[*both - set(turn_features("y z other", "eng", 4096))]] = 1
    save_turn_end(folder, TurnEndModel(weights, -2.0, {"note": "tiny"}), "# tiny\n")
    return folder
