"""Trains the model that hears ends of turns, and combines it with what texts say."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from speech.files import write_atomically
from speech.metrics.detection import roc_area
from speech.models.turn_combination import Combination
from speech.nn.turn_voice import N_MELS, TurnVoiceConfig, TurnVoiceNetwork, levelled_frames, turn_log_mel
from speech.ranges import check, ranged
from speech.train.end_of_turn.voice_cuts import HeardTurn

_RATES = (1.0, 0.9, 1.1)
"""Speeds at which every turn is trained on, with its pitch: voices vary."""
_SOFT = 0.05
"""How far targets lie from 0 and 1."""
_SHORTEST = 50
"""Frames that are left of a turn when its beginning is dropped."""
_FLOOR = -2.5
"""The least value of `levelled_frames`."""
_PRIOR = 1e-3
_MOMENT = 5
"""Frames of the last 50 ms."""


@dataclass(frozen=True, kw_only=True)
class TurnVoiceTrainConfig:
    """A training run."""

    epochs: int = ranged(24, least=1)
    rates: int = ranged(3, least=1, most=3)
    """Speeds at which each turn is heard."""
    rows: int = ranged(64, least=1)
    """Turns of a batch."""
    lr: float = ranged(2e-3, above=0)
    weight_decay: float = ranged(0.05, least=0)
    seed: int = 1

    def __post_init__(self) -> None:
        check(self, "turn_voice")


class VoiceBatches:
    """Frames of turns at several speeds, and batches of them.

    Args:
        turns: to train on.
        rates: so many speeds.
    """

    def __init__(self, turns: Sequence[HeardTurn], rates: int) -> None:
        self._frames = [all_frames(turns, rate) for rate in _RATES[:rates]]
        self._finished = [own.finished for own in turns]

    def epoch(self, rows: int, rng: random.Random) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Frames `(batch, T, N_MELS)`, lengths and targets `(batch,)` of each batch, in random order."""
        order = list(range(len(self._finished)))
        rng.shuffle(order)
        found = []
        for start in range(0, len(order), rows):
            chosen = order[start : start + rows]
            frames = [varied(rng.choice(self._frames)[n].float(), rng) for n in chosen]
            found.append((*padded(frames), torch.tensor([float(self._finished[n]) for n in chosen])))
        return found

    @property
    def share(self) -> float:
        """Share of finished turns."""
        return sum(self._finished) / len(self._finished)


def all_frames(turns: Sequence[HeardTurn], rate: float = 1.0) -> list[Tensor]:
    """Frames `(T, N_MELS)` of each turn, spoken so much faster, in float16."""
    log_mel, found = turn_log_mel(), []
    for own in turns:
        samples = own.samples
        if rate != 1.0:
            places = np.arange(0, len(samples) - 1, rate)
            samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
        found.append(levelled_frames(log_mel, torch.from_numpy(samples)).half())
    return found


def varied(frames: Tensor, rng: random.Random) -> Tensor:
    """Frames `(T, N_MELS)` in another room: over a floor of noise, without some bands, without their beginning."""
    if len(frames) > _SHORTEST and rng.random() < 0.5:
        frames = frames[rng.randrange(len(frames) - _SHORTEST) :]
    frames = frames.clone()
    if rng.random() < 0.5:
        frames = frames.clamp(min=rng.uniform(_FLOOR, -1.2))
    if rng.random() < 0.3:
        frames[:, rng.randrange(N_MELS * 3 // 4, N_MELS) :] = _FLOOR
    for _ in range(rng.randrange(3)):
        first = rng.randrange(N_MELS - 5)
        frames[:, first : first + rng.randrange(1, 6)] = _FLOOR
    return frames + rng.uniform(-0.1, 0.1)


def padded(frames: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows of different length, each at the end: `(batch, T, N_MELS)`, and their lengths `(batch,)`."""
    longest = max(map(len, frames))
    rows = torch.zeros(len(frames), longest, N_MELS)
    for row, own in zip(rows, frames, strict=True):
        row[longest - len(own) :] = own
    return rows, torch.tensor([len(own) for own in frames])


def train_turn_voice(
    train: Sequence[HeardTurn],
    dev: Sequence[HeardTurn],
    size: TurnVoiceConfig,
    config: TurnVoiceTrainConfig,
    metrics: Path,
    shown: Callable[[str], None] = lambda line: None,
) -> TurnVoiceNetwork:
    """Train a network.

    Args:
        train: turns to train on.
        dev: turns to measure after each epoch.
        size: of the network.
        config: of the run.
        metrics: record that is written.
        shown: takes a line after each epoch.
    """
    torch.manual_seed(config.seed)
    rng, batches, rows = random.Random(config.seed), VoiceBatches(train, config.rates), list[str]()
    network = TurnVoiceNetwork(size)
    steps = config.epochs * -(-len(train) // config.rows)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    heard, step = padded([own.float() for own in all_frames(dev)]), 0
    for _ in range(config.epochs):
        losses = []
        network.train()
        for frames, lengths, finished in batches.epoch(config.rows, rng):
            loss = entropy(network(frames, lengths), finished, batches.share)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            step += 1
        row = {"step": step, "train/entropy": sum(losses) / len(losses), **measured(network.eval(), heard, dev)}
        rows.append(json.dumps(row))
        shown(rows[-1])
    write_atomically(metrics, "\n".join(rows) + "\n")
    return network.eval()


def entropy(scores: Tensor, finished: Tensor, share: float) -> Tensor:
    """Mean cross-entropy of log-odds `(batch,)`, as if half of all turns were finished."""
    weights = torch.where(finished > 0, 0.5 / share, 0.5 / (1 - share))
    targets = finished * (1 - 2 * _SOFT) + _SOFT
    return nn.functional.binary_cross_entropy_with_logits(scores, targets, weights)


def measured(network: TurnVoiceNetwork, heard: tuple[Tensor, Tensor], turns: Sequence[HeardTurn]) -> dict[str, float]:
    """Cross-entropy and area under the ROC curve."""
    with torch.inference_mode():
        scores = network(*heard)
    finished = torch.tensor([own.finished for own in turns])
    area = roc_area(scores[finished].numpy(), scores[~finished].numpy())
    loss = entropy(scores, finished.float(), float(finished.float().mean()))
    return {"dev/entropy": float(loss), "dev/roc_area": area}


def last_moment(train: Sequence[HeardTurn], dev: Sequence[HeardTurn]) -> float:
    """Area under the ROC curve, on dev, of logistic regression over the last 50 ms alone: about .5 if recordings of
    finished turns and of others end alike."""
    frames, known = (torch.stack([own[-_MOMENT:].float().flatten() for own in all_frames(one)]) for one in (train, dev))
    targets = torch.tensor([float(own.finished) for own in train])
    layer = nn.Linear(frames.shape[1], 1)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        total = entropy(layer(frames)[:, 0], targets, float(targets.mean())) + 1e-3 * layer.weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    scores = layer(known).detach()[:, 0]
    finished = torch.tensor([own.finished for own in dev])
    return roc_area(scores[finished].numpy(), scores[~finished].numpy())


def combination_of(text: Sequence[float], voice: Sequence[float], finished: Sequence[bool]) -> Combination:
    """The likeliest weights of log-odds by text and by voice, as if half of all turns were finished.

    Args:
        text: log-odds by text, of each turn.
        voice: those heard.
        finished: what is true.
    """
    inputs = torch.tensor([[1.0, *pair] for pair in zip(text, voice, strict=True)], dtype=torch.float64)
    targets = torch.tensor(finished, dtype=torch.float64)
    share = float(targets.mean().clamp(0.01, 0.99))
    weights = torch.where(targets > 0, 0.5 / share, 0.5 / (1 - share))
    found = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        wrong = nn.functional.binary_cross_entropy_with_logits(inputs @ found, targets, weights)
        total = wrong + _PRIOR * found.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    bias, by_text, by_voice = found.detach().tolist()
    return Combination(bias, by_text, by_voice)


def heard_log_odds(network: TurnVoiceNetwork, turns: Sequence[HeardTurn]) -> list[float]:
    """Log-odds by voice of each turn."""
    frames = padded([own.float() for own in all_frames(turns)])
    with torch.inference_mode():
        return [float(own) for own in network(*frames)]


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: a short rise, then half a cosine."""
    warm = max(1, steps // 20)
    return step / warm if step < warm else 0.5 + 0.5 * math.cos(math.pi * (step - warm) / max(1, steps - warm))
