"""The threshold of a watermark: set on unmarked speech, as it is and attacked, at a false-alarm rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from speech.data.manifest import Utterance
from speech.data.reading import AudioReader
from speech.errors import DataError
from speech.models.watermark import Watermark
from speech.models.watermark_checkpoint import Threshold
from speech.train.watermark.attacks import Attacks, Draw
from speech.train.watermark.config import AttackConfig, CalibrationConfig
from speech.tts.watermark import LEAST_S, window_scores


def calibrate(
    watermark: Watermark,
    utterances: Sequence[Utterance],
    config: CalibrationConfig,
    attacks: AttackConfig,
    seed: int,
) -> Threshold:
    """The lowest threshold that at most a share `config.false_alarms` of unmarked windows reaches.

    Args:
        watermark: in evaluation mode.
        utterances: unmarked speech; up to `config.utterances` of them are drawn.
        config: how many, and which share.
        attacks: each utterance is heard as it is, and after an attack or none.
        seed: of the draws.

    Raises:
        DataError: if no utterance is long enough and readable.
    """
    rng, draw = np.random.default_rng(seed), Draw(torch.Generator().manual_seed(seed))
    places = rng.permutation(len(utterances))[: config.utterances]
    chosen = [utterances[place] for place in sorted(places.tolist())]
    read, attack = (
        AudioReader(rate=watermark.sample_rate),
        Attacks(attacks, watermark.sample_rate, watermark.config.hop),
    )
    heard = [x for x in map(read, chosen) if isinstance(x, np.ndarray) and len(x) >= LEAST_S * watermark.sample_rate]
    if not heard:
        raise DataError(f"no unmarked speech of {LEAST_S:g} s or more, from which a threshold could be set")
    scores: list[np.ndarray] = []
    for number, samples in enumerate(heard):
        row, other = torch.from_numpy(samples), torch.from_numpy(heard[number - 1])
        other = other.repeat(-(-len(row) // len(other)))[: len(row)]
        for version in (row, attack(row, other, draw).samples):
            scores.append(_scores(watermark, version))
    return threshold_at(np.concatenate(scores), config.false_alarms)


def threshold_at(scores: np.ndarray, share: float) -> Threshold:
    """The lowest threshold that at most a `share` of `scores (windows,)` reaches."""
    ordered = np.sort(scores)
    allowed = int(share * len(ordered))
    logit = float(np.nextafter(np.float32(ordered[len(ordered) - 1 - allowed]), np.float32(np.inf)))
    return Threshold(logit, float((scores >= logit).mean()), len(scores))


@torch.inference_mode()
def _scores(watermark: Watermark, samples: Tensor) -> np.ndarray:
    found = watermark.detector(samples[None]).presence[0].numpy()
    return window_scores(found, watermark.frame_s)
