"""Trains an audio codec: corpus -> random crops -> spectral and adversarial losses -> a checkpoint of kind `codec`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from speech.data.manifest import Utterance
from speech.data.mixing import hours_per_language
from speech.errors import ConfigError
from speech.models.codec import NeuralCodec
from speech.models.codec_checkpoint import CodecCheckpoint, load_codec_checkpoint, save_codec_checkpoint
from speech.models.hub import locate
from speech.tensors import check_finite
from speech.train.asr.corpus import read_corpus
from speech.train.codec.batches import read_crops
from speech.train.codec.config import CodecTrainConfig
from speech.train.codec.module import CodecModule
from speech.train.loop.callbacks import METRICS, read_metrics
from speech.train.loop.curve import draw_curve
from speech.train.loop.distributed import is_first
from speech.train.loop.run import CURVE, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done

_REPORTED = ("dev/mel", "dev/stft", "dev/used", "dev/perplexity")


def train_codec(config: CodecTrainConfig) -> Path | None:
    """Train a codec, or resume the run in the output folder.

    Returns:
        The directory of the result; None in all processes but the first.

    Raises:
        ConfigError, DataError, FileError, ModelError: before the first step, if an input is invalid.
        TrainingError, DataError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    if config.trainer.devices > 1:
        text = f"trainer.devices {config.trainer.devices}: a codec's gradients are balanced within one process"
        raise ConfigError(text, fix="Take trainer.devices=1.")
    output = begin(config)
    corpus = read_corpus(config)
    codec = _start(config)
    record_config(config, output)
    module = CodecModule(codec, config)
    speech = partial(read_crops, config, config.crops, config.model.sample_rate, corpus)
    fit(config, module, speech, output, steps_done(config, output), score_start=True)
    if not is_first():
        return None
    trained = averaged(config.trainer, output)
    if trained is not None:
        codec.load_state_dict(trained)
    check_finite(codec.state_dict(), "the trained codec", "It has not been written. Lower optimizer.lr.")
    draw_curve(output / METRICS, output / CURVE, ("train/mel", "train, log-mel distance"), ("dev/mel", "dev/stft"))
    info = _info(config, corpus["train"], output / METRICS)
    checkpoint = CodecCheckpoint(codec.eval(), info)
    attached = {CURVE: output / CURVE, METRICS: output / METRICS}
    card = codec_card(codec, info)
    save_codec_checkpoint(output / "model", checkpoint, card=card, storage=config.storage, attached=attached)
    return output / "model"


def _start(config: CodecTrainConfig) -> NeuralCodec:
    """The codec before the first step.

    Raises:
        ModelError: if `start` is no codec.
        ConfigError: if it has another shape than `model`.
    """
    if not config.start:
        return config.model.build()
    codec = load_codec_checkpoint(locate(config.start)).model
    if codec.config != config.model:
        raise ConfigError(f"start={config.start} has another shape than model", fix="Give the model settings it has.")
    return codec.train()


def _info(config: CodecTrainConfig, heard: Sequence[Utterance], metrics: Path) -> dict[str, Any]:
    """Metadata of the checkpoint: data, steps, and what the last validation of the unaveraged codec found."""
    rows = [row for row in read_metrics(metrics) if "dev/mel" in row]
    return {
        "name": config.name,
        "seed": config.seed,
        "steps": config.trainer.max_steps,
        "discriminators_from": config.discriminators.begins,
        "frozen_encoder": config.freeze_encoder,
        "crops": asdict(config.crops),
        "hours": {code: round(value, 3) for code, value in sorted(hours_per_language(heard).items())},
        "sources": sorted({(u.source, u.licence) for u in heard}),
        "dev": {name: rows[-1][name] for name in _REPORTED if name in rows[-1]} if rows else {},
    }


def codec_card(codec: NeuralCodec, info: Mapping[str, Any]) -> str:
    """The model card in Markdown: model, training data, licences; `info` is that of the checkpoint."""
    kbit_s = codec.codebooks * math.log2(codec.codebook_size) / codec.frame_s / 1000
    judged, hours = max(info["steps"] - info["discriminators_from"], 0), info["hours"]
    lines = [
        f"# {info['name']}",
        "",
        f"An audio codec at {codec.sample_rate} Hz: {1 / codec.frame_s:.1f} frames/s of {codec.codebooks} codes out of "
        f"{codec.codebook_size}, {kbit_s:.2f} kbit/s. It is causal both ways and has "
        f"{codec.parameter_count / 1e6:.1f} M parameters.",
        "",
        f"Trained for {info['steps']} steps, {judged} of them with discriminators, on {sum(hours.values()):.1f} h of "
        f"speech in {len(hours)} languages.",
        *(["Its encoder is that of an earlier codec."] if info["frozen_encoder"] else []),
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in info["sources"]],
        "",
        "| at the last validation | |",
        "|---|---|",
        *[f"| {name.removeprefix('dev/')} | {value} |" for name, value in info["dev"].items()],
    ]
    return "\n".join(lines) + "\n"
