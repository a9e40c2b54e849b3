"""Training of a CTC model: manifests -> batches -> model -> loss -> checkpoint -> table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from speech.audio.augment import WaveAugment
from speech.data.batches import EvalBatches, SpeechBatch, TrainBatches
from speech.data.manifest import Utterance
from speech.data.mixing import hours_per_language
from speech.data.reading import Tally
from speech.models.checkpoint import save_checkpoint
from speech.models.owsm_ctc import OwsmCtc
from speech.tensors import check_finite
from speech.text.normalize import plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.train.asr.card import model_card
from speech.train.asr.config import TrainConfig
from speech.train.asr.corpus import language_weights, read_corpus
from speech.train.asr.evaluate import ScoreTable, evaluate
from speech.train.asr.init import build_model, build_tokenizer
from speech.train.asr.module import CtcModule
from speech.train.loop.callbacks import METRICS
from speech.train.loop.curve import draw_curve
from speech.train.loop.distributed import is_first, whole_model
from speech.train.loop.run import CURVE, RECORD, RunSpeech, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done

TRAINING = "training.json"
"""File name of the run's configuration beside the model, which has its own `config.json`."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """Path of the trained model and its scores on test."""

    checkpoint: Path
    table: ScoreTable | None


def train(config: TrainConfig) -> TrainResult | None:
    """Train a model from manifests, or resume the run in the output folder.

    With `trainer.devices` above 1, Lightning starts the same command again for each further process.

    Returns:
        Model and table; None in all processes but the first.

    Raises:
        ConfigError, DataError, FileError, ModelError: before the first step, if an input is invalid.
        TrainingError, DataError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    output = begin(config)
    corpus = read_corpus(config)
    tokenizer = build_tokenizer(config, corpus["train"])
    model = build_model(config, tokenizer, corpus["train"])
    config = replace(config, model=model.config)  # the checkpoint's, if the run starts from a whole one
    record_config(config, output)
    speech = partial(read_speech, config, tokenizer, corpus)
    fit(config, CtcModule(model, config), speech, output, steps_done(config, output))
    model = whole_model(model, partial(OwsmCtc, config.model, model.vocabulary))
    if not is_first():
        return None
    mean = averaged(config.trainer, output)
    if mean is not None:
        model.load_state_dict(mean)
    model.eval()
    check_finite(model.state_dict(), "the trained model", "It has not been written. Lower optimizer.lr.")
    unreadable = Tally("test", len(corpus["test"]), config.data.max_unreadable)
    table = evaluate(model, tokenizer, corpus["test"], unreadable=unreadable) if config.evaluate else None
    draw_curve(output / METRICS, output / CURVE)
    info = _info(config, corpus, table)
    save_checkpoint(
        output / "model",
        model,
        tokenizer,
        info=info,
        card=model_card(config, info),
        storage=config.storage,
        attached={TRAINING: output / RECORD, METRICS: output / METRICS, CURVE: output / CURVE},
    )
    return TrainResult(output / "model", table)


def read_speech(
    config: TrainConfig, tokenizer: Tokenizer, corpus: dict[str, list[Utterance]]
) -> RunSpeech[SpeechBatch]:
    """The corpus as batches."""
    data = config.data
    augment = WaveAugment(data.augment) if data.augment is not None else None
    batches = TrainBatches(
        corpus["train"],
        tokenizer,
        data.batches,
        augment,
        plain_text,
        weights=language_weights(data, corpus["train"]),
        cache=data.cache,
        plain_epochs=data.plain_epochs,
    )
    unreadable = Tally("dev", len(corpus["dev"]), data.max_unreadable)
    dev = EvalBatches(corpus["dev"], tokenizer, data.batches.batch_s, plain_text, unreadable=unreadable)
    return RunSpeech(batches, dev, Tally("train", len(batches.utterances), data.max_unreadable), data.workers)


def _info(config: TrainConfig, corpus: dict[str, list[Utterance]], table: ScoreTable | None) -> dict[str, Any]:
    hours = hours_per_language(corpus["train"])
    return {
        "name": config.name,
        "seed": config.seed,
        "steps": config.trainer.max_steps,
        "hours": {code: round(value, 3) for code, value in sorted(hours.items())},
        "sources": sorted({(u.source, u.licence) for u in corpus["train"]}),
        "chunk_sizes": list(config.chunk.sizes),
        "left_context": config.chunk.left_context,
        "test": table.to_dict() if table is not None else None,
    }
