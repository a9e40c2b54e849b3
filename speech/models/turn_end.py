"""A linear model of whether a turn is over, and its files: `config.json`, `model.safetensors`, `README.md`.

It needs numpy only, so that a program that takes turns loads it at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from speech.errors import ModelError
from speech.files import read_text, replacing_folder
from speech.text.turn_features import turn_features

KIND = "end_of_turn"
_FORMAT = 1
_RECORD, _WEIGHTS = "config.json", "model.safetensors"
_MOST_BUCKETS = 1 << 22


@dataclass(frozen=True, slots=True)
class TurnEndModel:
    """Logistic regression over hashed features of a text."""

    weights: np.ndarray
    """`(buckets,)` float32."""
    bias: float
    info: Mapping[str, Any] = field(default_factory=dict)
    """Origin and training metadata."""

    def probability(self, text: str, language: str | None) -> float:
        """Probability that a turn whose text so far is this one is over.

        Args:
            text: as a recogniser writes it.
            language: ISO 639-3; None: unknown.
        """
        return probability_of(self.log_odds(text, language))

    def log_odds(self, text: str, language: str | None) -> float:
        """Logarithm of the odds of that."""
        chosen = turn_features(text, language, len(self.weights))
        return float(self.weights[chosen].sum(dtype=np.float64)) + self.bias


def probability_of(log_odds: float) -> float:
    """The probability, 0 to 1, of log-odds of any size."""
    return 1 / (1 + math.exp(-log_odds)) if log_odds >= 0 else math.exp(log_odds) / (1 + math.exp(log_odds))


def save_turn_end(directory: Path, model: TurnEndModel, card: str, attached: Mapping[str, bytes] | None = None) -> None:
    """Write a model atomically, its weights in float16; an existing one is replaced.

    Args:
        directory: target directory.
        model: with metadata that JSON can hold.
        card: model card in Markdown, written to `README.md`.
        attached: further files by name.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a weight is not finite, or too large for float16.
    """
    stored = model.weights.astype(np.float16)
    if not (np.isfinite(stored).all() and math.isfinite(model.bias)):
        raise ModelError("has a weight that is not finite in float16", where=str(directory), fix="Train it again.")
    record = {"format": _FORMAT, "kind": KIND, "bias": model.bias, "info": dict(model.info)}
    with replacing_folder(directory) as folder:
        (folder / _WEIGHTS).write_bytes(save({"weights": stored}))
        (folder / _RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
        (folder / "README.md").write_text(card, "utf-8")
        for name, content in (attached or {}).items():
            (folder / name).write_bytes(content)


def load_turn_end(directory: Path) -> TurnEndModel:
    """Load a model.

    Raises:
        ModelError: naming the file, if one is missing or damaged, or is of another kind of model.
    """
    for name in (_RECORD, _WEIGHTS):
        if not (directory / name).is_file():
            fix = "Train one with recipes/dialogue/train_end_of_turn.py."
            raise ModelError(f"has no {name}", where=str(directory), fix=fix)
    where = str(directory / _RECORD)
    try:
        record = json.loads(read_text(directory / _RECORD))
        if (record["format"], record["kind"]) != (_FORMAT, KIND):
            raise ModelError(f"format {record['format']}, kind {record['kind']!r}; expected {KIND!r}", where=where)
        bias, info = float(record["bias"]), dict(record["info"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"is no record of such a model: {error}", where=where) from error
    return TurnEndModel(_weights(directory / _WEIGHTS, bias), bias, info)


def _weights(path: Path, bias: float) -> np.ndarray:
    try:
        found = load(path.read_bytes())["weights"].astype(np.float32)
    except (SafetensorError, KeyError, TypeError) as error:
        raise ModelError(f"holds no weights: {error}", where=str(path)) from error
    if (
        found.ndim != 1
        or not 0 < len(found) <= _MOST_BUCKETS
        or not np.isfinite(found).all()
        or not math.isfinite(bias)
    ):
        fix = "Copy the model again."
        raise ModelError("its weights are no row of finite numbers", where=str(path), fix=fix)
    return found
