"""A model that hears whether a turn is over, and its files: `config.json`, `model.safetensors`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from speech.audio import SAMPLE_RATE
from speech.errors import ModelError
from speech.files import read_text, replacing_folder
from speech.nn.turn_voice import TurnVoiceConfig, TurnVoiceNetwork, levelled_frames, turn_log_mel

KIND = "turn_voice"
BEFORE_S, AFTER_S = 4.0, 0.04
"""Seconds before the end of the speech that are listened to, and behind it."""
_LEAST_S = 0.1
_FORMAT = 1
_RECORD, _WEIGHTS = "config.json", "model.safetensors"


class TurnVoiceModel:
    """Hears whether a turn is over.

    Args:
        network: trained.
        info: origin and training metadata.
    """

    def __init__(self, network: TurnVoiceNetwork, info: Mapping[str, Any] | None = None) -> None:
        self.network, self.info = network.eval(), info or {}
        self._log_mel = turn_log_mel()

    def log_odds(self, samples: np.ndarray, speech_end: int) -> float | None:
        """Logarithm of the odds that the turn is over; None: there is too little to hear.

        Args:
            samples: `(n,)` float32 at 16 kHz.
            speech_end: how many of them lie before the end of the speech.
        """
        heard = last_heard(samples, speech_end)
        if len(heard) < _LEAST_S * SAMPLE_RATE:
            return None
        with torch.inference_mode():
            frames = levelled_frames(self._log_mel, torch.from_numpy(heard.astype(np.float32)))
            return float(self.network(frames[None], torch.tensor([len(frames)])))


def last_heard(samples: np.ndarray, speech_end: int) -> np.ndarray:
    """The part `(m,)` of samples `(n,)` whose speech ends at `speech_end` that the model listens to."""
    begin, end = speech_end - round(BEFORE_S * SAMPLE_RATE), speech_end + round(AFTER_S * SAMPLE_RATE)
    return samples[max(begin, 0) : max(end, 0)]


def save_turn_voice(directory: Path, model: TurnVoiceModel, card: str, attached: Mapping[str, bytes]) -> None:
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
    weights = {name: own.detach().half().contiguous() for name, own in model.network.state_dict().items()}
    if not all(bool(own.isfinite().all()) for own in weights.values()):
        raise ModelError("has a weight that is not finite in float16", where=str(directory), fix="Train it again.")
    record = {
        "format": _FORMAT,
        "kind": KIND,
        "network": asdict(model.network.config),
        "info": dict(model.info),
    }
    with replacing_folder(directory) as folder:
        (folder / _WEIGHTS).write_bytes(save(weights))
        (folder / _RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
        (folder / "README.md").write_text(card, "utf-8")
        for name, content in attached.items():
            (folder / name).write_bytes(content)


def load_turn_voice(directory: Path) -> TurnVoiceModel:
    """Load a model.

    Raises:
        ModelError: naming the file, if one is missing or damaged, or is of another kind of model.
    """
    for name in (_RECORD, _WEIGHTS):
        if not (directory / name).is_file():
            fix = "Train one with recipes/dialogue/train_turn_voice.py."
            raise ModelError(f"has no {name}", where=str(directory), fix=fix)
    where = str(directory / _RECORD)
    try:
        record = json.loads(read_text(directory / _RECORD))
        if (record["format"], record["kind"]) != (_FORMAT, KIND):
            raise ModelError(f"format {record['format']}, kind {record['kind']!r}; expected {KIND!r}", where=where)
        size, info = dict(record["network"]), dict(record["info"])
        config = TurnVoiceConfig(
            width=int(size["width"]), kernel=int(size["kernel"]), dilations=tuple(map(int, size["dilations"]))
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"is no record of such a model: {error}", where=where) from error
    return TurnVoiceModel(_network(directory / _WEIGHTS, config), info)


def _network(path: Path, config: TurnVoiceConfig) -> TurnVoiceNetwork:
    try:
        weights = {name: own.float() for name, own in load(path.read_bytes()).items()}
        with torch.random.fork_rng(devices=[]):  # whoever has seeded the generator finds it as it was
            network = TurnVoiceNetwork(config)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ModelError(f"holds no weights of this network: {error}", where=str(path)) from error
    if not all(bool(own.isfinite().all()) for own in weights.values()):
        raise ModelError("it has weights that are not finite", where=str(path), fix="Copy the model again.")
    return network
