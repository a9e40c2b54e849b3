"""Trains an end-of-turn model: texts -> examples -> logistic regression -> calibration on dev -> a model's folder."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from speech.data.reading import Tally
from speech.errors import ConfigError
from speech.models.turn_end import TurnEndModel, save_turn_end
from speech.tensors import check_finite
from speech.train.end_of_turn.batches import (
    PHRASES_SOURCE,
    TurnBatch,
    TurnBatches,
    TurnDev,
    as_example,
    read_fillers,
)
from speech.train.end_of_turn.config import EndOfTurnTrainConfig
from speech.train.end_of_turn.examples import TurnExample, TurnMaker
from speech.train.end_of_turn.module import EndOfTurnModule, TurnEndNetwork
from speech.train.end_of_turn.turns import WrittenTurn, read_turns
from speech.train.loop.callbacks import METRICS, read_metrics
from speech.train.loop.curve import draw_curve
from speech.train.loop.run import CURVE, RunSpeech, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done
from speech.train.pronunciation.batches import read_sources

_REPORTED = ("dev/entropy", "dev/roc_area")
_PRIOR = 1e-4
"""Pull towards no scale and no shift, which decides where examples are few or all told apart."""


def train_end_of_turn(config: EndOfTurnTrainConfig) -> Path:
    """Train an end-of-turn model, or resume the run in the output folder.

    Returns:
        The directory of the result.

    Raises:
        ConfigError, DataError, FileError: before the first step, if an input is invalid.
        TrainingError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    if config.trainer.devices > 1:
        raise ConfigError(f"trainer.devices {config.trainer.devices}: one process only", fix="Take trainer.devices=1.")
    output = begin(config)
    texts = {part: read_turns(Path(config.texts) / f"{part}.jsonl") for part in ("train", "dev")}
    heard = {part: _recognised(config, part) for part in ("train", "dev")}
    maker = TurnMaker(texts["train"], read_fillers(Path(config.texts)))
    dev = dev_examples(texts["dev"], heard["dev"], maker)
    network = TurnEndNetwork(config.buckets)
    record_config(config, output)

    def speech() -> RunSpeech[TurnBatch]:
        train = TurnBatches(texts["train"], heard["train"], maker, config)
        tally = Tally("train", len(texts["train"]), 0.0)
        return RunSpeech(train, TurnDev(dev, config.buckets, config.rows.rows), tally, config.data.workers)

    fit(config, EndOfTurnModule(network, config), speech, output, steps_done(config, output), score_start=True)
    trained = averaged(config.trainer, output)
    if trained is not None:
        network.load_state_dict(trained)
    check_finite(network.state_dict(), "the trained model", "It has not been written. Lower optimizer.lr.")
    draw_curve(output / METRICS, output / CURVE, ("train/entropy", "train, cross-entropy"), _REPORTED)
    info = _info(config, texts["train"], heard["train"], output / METRICS)
    model = calibrated(as_model(network, info), calibrating(texts["dev"], heard["dev"], maker) or dev)
    attached = {name: (output / name).read_bytes() for name in (CURVE, METRICS)}
    save_turn_end(output / "model", model, end_of_turn_card(model), attached)
    return output / "model"


def dev_examples(
    texts: Sequence[WrittenTurn], recognised: Sequence[WrittenTurn], maker: TurnMaker
) -> list[TurnExample]:
    """Recognised turns as they are, and an example of each text; always the same."""
    rng = random.Random(0)
    return [*map(as_example, recognised), *(maker.example(own, rng) for own in texts)]


def calibrating(texts: Sequence[WrittenTurn], recognised: Sequence[WrittenTurn], maker: TurnMaker) -> list[TurnExample]:
    """The examples of dev that are likest to turns of a dialogue: recognised ones, and phrases."""
    return dev_examples([own for own in texts if own.source == PHRASES_SOURCE], recognised, maker)


def as_model(network: TurnEndNetwork, info: Mapping[str, Any]) -> TurnEndModel:
    """The trained network for numpy."""
    with torch.no_grad():
        return TurnEndModel(network.weights.weight[:, 0].cpu().numpy().copy(), float(network.bias), info)


def calibrated(model: TurnEndModel, examples: Sequence[TurnExample]) -> TurnEndModel:
    """A model whose log-odds are scaled and shifted so that they are the likeliest for the examples (Platt 1999), as if
    half of these were finished."""
    scores = torch.tensor([model.log_odds(own.text, own.language) for own in examples], dtype=torch.float64)
    finished = torch.tensor([float(own.finished) for own in examples], dtype=torch.float64)
    share = float(finished.mean().clamp(0.01, 0.99))
    weights = torch.where(finished > 0, 0.5 / share, 0.5 / (1 - share))
    scale, shift = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    parameters = [scale.requires_grad_(), shift.requires_grad_()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        said = scores * scale + shift
        wrong = nn.functional.binary_cross_entropy_with_logits(said, finished, weights)
        total = wrong + _PRIOR * ((scale - 1) ** 2 + shift**2)
        total.backward()
        return total

    optimizer.step(loss)
    factor, moved = float(scale.detach()), float(shift.detach())
    return TurnEndModel((model.weights * factor).astype(np.float32), model.bias * factor + moved, model.info)


def _recognised(config: EndOfTurnTrainConfig, part: str) -> list[WrittenTurn]:
    return read_turns(Path(config.recognised) / f"{part}.jsonl") if config.recognised else []


def _info(
    config: EndOfTurnTrainConfig, texts: Sequence[WrittenTurn], recognised: Sequence[WrittenTurn], metrics: Path
) -> dict[str, Any]:
    """Metadata of the model: data, steps, and what the last validation of the unaveraged network found."""
    rows = [row for row in read_metrics(metrics) if "dev/entropy" in row]
    return {
        "name": config.name,
        "seed": config.seed,
        "steps": config.trainer.max_steps,
        "texts": dict(sorted(Counter(own.language for own in texts).items())),
        "recognised": dict(sorted(Counter(own.language for own in recognised).items())),
        "sources": sorted(read_sources(Path(config.texts))),
        "dev": {name: rows[-1][name] for name in _REPORTED if name in rows[-1]} if rows else {},
    }


def end_of_turn_card(model: TurnEndModel) -> str:
    """The model card in Markdown."""
    info = model.info
    texts, recognised = info["texts"], info["recognised"]
    lines = [
        f"# {info['name']}",
        "",
        "Whether somebody has finished or only pauses, from the text of the turn so far: logistic regression over "
        f"{len(model.weights)} hashed features of its last words, calibrated on dev.",
        "",
        f"Trained for {info['steps']} steps on {sum(texts.values())} texts, complete and cut anew in each epoch, and "
        f"{sum(recognised.values())} recognised turns, whole and cut in the audio.",
        "",
        "| language | texts | recognised turns |",
        "|---|---|---|",
        *[f"| {code} | {texts.get(code, 0)} | {recognised.get(code, 0)} |" for code in sorted({*texts, *recognised})],
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in info["sources"]],
        "",
        "| at the last validation | |",
        "|---|---|",
        *[f"| {name.removeprefix('dev/')} | {value:.4f} |" for name, value in info["dev"].items()],
    ]
    return "\n".join(lines) + "\n"
