"""Trains an audio watermark: corpus -> crops -> marks, attacks, detection -> a checkpoint of kind `watermark`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from speech.data.manifest import Utterance
from speech.data.mixing import hours_per_language
from speech.errors import ConfigError
from speech.models.watermark import Watermark
from speech.models.watermark_checkpoint import Threshold, WatermarkCheckpoint, save_watermark_checkpoint
from speech.tensors import check_finite
from speech.train.asr.corpus import read_corpus
from speech.train.codec.batches import read_crops
from speech.train.loop.callbacks import METRICS, read_metrics
from speech.train.loop.curve import draw_curve
from speech.train.loop.distributed import is_first
from speech.train.loop.run import CURVE, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done
from speech.train.watermark.calibration import calibrate
from speech.train.watermark.config import WatermarkTrainConfig
from speech.train.watermark.module import WatermarkModule

_REPORTED = ("dev/presence", "dev/bits", "dev/frames_right", "dev/bits_right", "dev/snr")


def train_watermark(config: WatermarkTrainConfig) -> Path | None:
    """Train a watermark, or resume the run in the output folder.

    Returns:
        The directory of the result; None in all processes but the first.

    Raises:
        ConfigError, DataError, FileError: before the first step, if an input is invalid.
        TrainingError, DataError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    if config.trainer.devices > 1:
        raise ConfigError(f"trainer.devices {config.trainer.devices}: one process only", fix="Take trainer.devices=1.")
    output = begin(config)
    corpus = read_corpus(config)
    watermark = config.model.build()
    record_config(config, output)
    module = WatermarkModule(watermark, config)
    speech = partial(read_crops, config, config.crops, config.model.sample_rate, corpus)
    fit(config, module, speech, output, steps_done(config, output), score_start=True)
    if not is_first():
        return None
    trained = averaged(config.trainer, output)
    if trained is not None:
        watermark.load_state_dict(trained)
    check_finite(watermark.state_dict(), "the trained watermark", "It has not been written. Lower optimizer.lr.")
    draw_curve(output / METRICS, output / CURVE, ("train/presence", "train, presence"), ("dev/presence", "dev/bits"))
    unmarked = [*corpus["train"], *corpus["dev"]]
    threshold = calibrate(watermark.eval(), unmarked, config.calibration, config.attacks, config.seed)
    info = _info(config, corpus["train"], output / METRICS)
    checkpoint = WatermarkCheckpoint(watermark, threshold, info)
    save_watermark_checkpoint(
        output / "model",
        checkpoint,
        card=watermark_card(watermark, threshold, info),
        storage=config.storage,
        attached={CURVE: output / CURVE, METRICS: output / METRICS},
    )
    return output / "model"


def _info(config: WatermarkTrainConfig, heard: Sequence[Utterance], metrics: Path) -> dict[str, Any]:
    """Metadata of the checkpoint: data, steps, and what the last validation of the unaveraged networks found."""
    rows = [row for row in read_metrics(metrics) if "dev/presence" in row]
    return {
        "name": config.name,
        "seed": config.seed,
        "steps": config.trainer.max_steps,
        "crops": asdict(config.crops),
        "attacks": asdict(config.attacks),
        "hours": {code: round(value, 3) for code, value in sorted(hours_per_language(heard).items())},
        "sources": sorted({(u.source, u.licence) for u in heard}),
        "dev": {name: rows[-1][name] for name in _REPORTED if name in rows[-1]} if rows else {},
    }


def watermark_card(watermark: Watermark, threshold: Threshold, info: Mapping[str, Any]) -> str:
    """The model card in Markdown: networks, threshold, limits, data, licences; `info` is that of the checkpoint."""
    sizes = [sum(p.numel() for p in own.parameters()) / 1e6 for own in (watermark.generator, watermark.detector)]
    hours = info["hours"]
    lines = [
        f"# {info['name']}",
        "",
        f"An audio watermark at {watermark.sample_rate} Hz with 16 bits: a generator of {sizes[0]:.2f} M parameters, "
        f"which changes levels by at most {watermark.config.limit_db:g} dB, and a detector of {sizes[1]:.2f} M. Both "
        "are causal.",
        "",
        f"Trained for {info['steps']} steps on {sum(hours.values()):.1f} h of speech in {len(hours)} languages.",
        "",
        f"**False alarms**: of {threshold.recordings} unmarked recordings of {threshold.duration_s:.1f} s on average, "
        f"half of them after attacks, {threshold.false_alarms:.2%} reach a threshold: {threshold.evidence:.2f} at "
        f"their own speed, or {threshold.evidence + threshold.played:.2f} at another one. One that is e times as long "
        f"is asked for {threshold.growth:.2f} more. Of {threshold.windows} unmarked windows of a second "
        f"{threshold.window_false_alarms:.2%} reach {threshold.logit:.2f}, from which on they are part of a mark "
        "where one was found.",
        "",
        "A mark says where speech comes from as long as nobody removes it. Whoever has this file, or is determined "
        "enough, can remove it, and can mark speech that comes from elsewhere.",
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in info["sources"]],
        "",
        "| at the last validation, parts of it attacked | |",
        "|---|---|",
        *[f"| {name.removeprefix('dev/')} | {value} |" for name, value in info["dev"].items()],
    ]
    return "\n".join(lines) + "\n"
