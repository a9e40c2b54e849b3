"""The thresholds of a watermark: set on unmarked speech, as it is and attacked, at rates of false alarms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from speech.data.manifest import Utterance
from speech.data.reading import AudioReader
from speech.errors import DataError
from speech.models.watermark import Watermark
from speech.models.watermark_checkpoint import Threshold
from speech.train.watermark.attacks import Attacks, Draw
from speech.train.watermark.config import AttackConfig, CalibrationConfig
from speech.tts.watermark import LEAST_S
from speech.tts.watermark_listening import SPEEDS, MarkListener, MarkLogits
from speech.tts.watermark_message import MESSAGES
from speech.tts.watermark_verdict import Finding, findings, window_scores

_FEW, _MANY = 1.0, 20.0
"""Multiples of the share of false alarms between which the tail of the evidence is measured."""
_MOST_SHARE = 0.5


def calibrate(
    watermark: Watermark,
    utterances: Sequence[Utterance],
    config: CalibrationConfig,
    attacks: AttackConfig,
    seed: int,
) -> Threshold:
    """The lowest thresholds that at most shares of unmarked recordings and of their windows reach.

    Recordings are searched at all speeds, as they will be when a mark is looked for; windows are heard at the speed at
    which they were made, for a message that is drawn.

    Args:
        watermark: in evaluation mode.
        utterances: unmarked speech; up to `config.utterances` of them are drawn.
        config: how many, and which shares.
        attacks: each utterance is heard as it is, and after one of these attacks.
        seed: of the draws.

    Raises:
        DataError: if no utterance is long enough and readable.
    """
    rng = np.random.default_rng(seed)
    places = rng.permutation(len(utterances))[: config.utterances]
    chosen = [utterances[place] for place in sorted(places.tolist())]
    read = AudioReader(rate=watermark.sample_rate)
    speech = [x for x in map(read, chosen) if isinstance(x, np.ndarray) and len(x) >= LEAST_S * watermark.sample_rate]
    if not speech:
        raise DataError(f"no unmarked speech of {LEAST_S:g} s or more, from which a threshold could be set")
    evidence: list[list[float]] = []
    durations: list[float] = []
    windows: list[np.ndarray] = []
    attack = Attacks(replace(attacks, share=1.0), watermark.sample_rate, watermark.config.hop)
    for samples in _versions(speech, attack, seed):
        heard = _heard(watermark, samples)
        evidence.append([found.evidence for found in findings(heard)])
        durations.append(heard[0].duration_s)
        drawn = Finding(heard[SPEEDS.index(1.0)], int(rng.integers(MESSAGES)), 0.0)
        windows.append(window_scores(drawn.frame_scores(), watermark.frame_s))
    own = np.array(evidence)[:, SPEEDS.index(1.0)]
    played = np.delete(evidence, SPEEDS.index(1.0), axis=1).max(axis=1)
    return thresholds_at(own, played, float(np.mean(durations)), np.concatenate(windows), config)


def thresholds_at(
    own: np.ndarray, played: np.ndarray, duration_s: float, scores: np.ndarray, config: CalibrationConfig
) -> Threshold:
    """The lowest thresholds that at most a share of recordings, and of windows, reaches. Half of the share is for the
    speed at which recordings were made, whose threshold is lower than that of the strongest of all speeds.

    Of k recordings in a row the highest evidence is above what a share p of one reaches as often as k p. So the tail of
    the evidence of one says how a threshold has to grow with duration.

    Args:
        own: evidence in each recording at its own speed, `(recordings,)`.
        played: the strongest at all other speeds, `(recordings,)`.
        duration_s: mean duration of recordings.
        scores: of windows, `(windows,)`.
        config: the shares.
    """
    share = config.false_alarms / 2
    least, beyond = reached_by(own, share), reached_by(played, share)
    logit = reached_by(scores, config.window_false_alarms)
    return Threshold(
        evidence=least,
        played=beyond - least,
        growth=max(_growth(own, share), _growth(played, share)),
        duration_s=duration_s,
        false_alarms=float(((own >= least) | (played >= beyond)).mean()),
        recordings=len(own),
        logit=logit,
        window_false_alarms=float((scores >= logit).mean()),
        windows=len(scores),
    )


def _growth(evidence: np.ndarray, share: float) -> float:
    few, many = (min(times * share, _MOST_SHARE) for times in (_FEW, _MANY))
    tail = np.quantile(evidence, [1 - many, 1 - few])
    return float(tail[1] - tail[0]) / math.log(many / few) if many > few else 0.0


def reached_by(scores: np.ndarray, share: float) -> float:
    """The lowest threshold that at most a `share` of `scores (n,)` reaches."""
    ordered = np.sort(scores)
    allowed = int(share * len(ordered))
    return float(np.nextafter(np.float32(ordered[len(ordered) - 1 - allowed]), np.float32(np.inf)))


def _versions(speech: Sequence[np.ndarray], attack: Attacks, seed: int) -> Iterator[np.ndarray]:
    """Each recording as it is, and attacked."""
    draw = Draw(torch.Generator().manual_seed(seed))
    for number, samples in enumerate(speech):
        yield samples
        other = np.resize(speech[number - 1], len(samples))
        yield attack(torch.from_numpy(samples), torch.from_numpy(other), draw).samples.numpy()


def _heard(watermark: Watermark, samples: np.ndarray) -> list[MarkLogits]:
    found = []
    for speed in SPEEDS:
        listener = MarkListener(watermark, speed)
        listener.push(samples.astype(np.float32, copy=False))
        found.append(listener.finish())
    return found
