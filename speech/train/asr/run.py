"""The main loop: manifests -> batches -> model -> loss -> checkpoint -> table."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from speech.audio.augment import WaveAugment
from speech.data.batches import EvalBatches, TrainBatches
from speech.data.manifest import Utterance
from speech.data.mixing import hours_per_language
from speech.data.reading import Tally
from speech.errors import ConfigError, FileError
from speech.files import check_writable, printable, reason, write_atomically
from speech.models.checkpoint import save_checkpoint
from speech.models.owsm_ctc import OwsmCtc
from speech.ranges import check
from speech.tensors import check_finite
from speech.text.normalize import plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.train.asr.card import model_card
from speech.train.asr.config import Accelerator, Precision, RunConfig, TrainConfig, TrainerConfig
from speech.train.asr.corpus import language_weights, read_corpus
from speech.train.asr.evaluate import ScoreTable, evaluate
from speech.train.asr.init import build_model, build_tokenizer
from speech.train.asr.module import TrainModule
from speech.train.asr.stream import SpeechData
from speech.train.loop.averaging import average, snapshots
from speech.train.loop.callbacks import METRICS, Checkpoints, Metrics
from speech.train.loop.curve import draw_curve
from speech.train.loop.distributed import end_with_launcher, is_first, strategy, whole_model
from speech.train.loop.state import CHECKPOINT, StateFiles, read_state, steps_done

_log = logging.getLogger(__name__)

RECORD, CURVE = "config.json", "learning_curve.png"
TRAINING = "training.json"
"""The name of the run's configuration beside the model, which has a `config.json` of its own."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """Where the model is, and how good it is."""

    checkpoint: Path
    table: ScoreTable | None


def train(config: TrainConfig) -> TrainResult | None:
    """Train a model from manifests, or go on where this folder's run stopped.

    With `trainer.devices` above 1, Lightning starts the same command once more for each further process.

    Returns:
        Model and table; None in the processes that only help.

    Raises:
        ConfigError, DataError, FileError, ModelError: before the first step, naming what is wrong.
        TrainingError, DataError, FileError: if it cannot go on; `last.ckpt` is that of an earlier step.
    """
    output = begin(config)
    corpus = read_corpus(config)
    tokenizer = build_tokenizer(config, corpus["train"])
    model = build_model(config, tokenizer, corpus["train"])
    if is_first():
        record_config(config, output)
    model = fit(config, model, tokenizer, corpus, output)
    if not is_first():
        return None
    paths = snapshots(output / "snapshots")
    if paths:
        model.load_state_dict(average(paths[-config.trainer.average :]))
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


def begin(config: RunConfig) -> Path:
    """What comes before anything is loaded: numbers, device and output folder are tried, and chance gets its seed.

    Returns:
        the output folder, which is there.

    Raises:
        ConfigError, FileError: naming what is wrong.
    """
    check(config)
    check_devices(config.trainer)
    output = Path(config.output)
    check_writable(output)
    if config.trainer.devices > 1:
        end_with_launcher()
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, verbose=False)
    return output


def fit(
    config: TrainConfig,
    model: OwsmCtc,
    tokenizer: Tokenizer,
    corpus: dict[str, list[Utterance]],
    output: Path,
) -> OwsmCtc:
    """Run the steps that are left; the trained model, which only the first process may use."""
    settings = config.trainer
    last = output / CHECKPOINT
    done = steps_done(config, output)
    if done >= settings.max_steps:
        TrainModule(model, config).load_state_dict(read_state(last)["state_dict"])
        return model
    augment = WaveAugment(config.data.augment) if config.data.augment is not None else None
    batches = TrainBatches(
        corpus["train"],
        tokenizer,
        config.data.batches,
        augment,
        plain_text,
        weights=language_weights(config.data, corpus["train"]),
        cache=config.data.cache,
        plain_epochs=config.data.plain_epochs,
    )
    unreadable = Tally("dev", len(corpus["dev"]), config.data.max_unreadable)
    dev = EvalBatches(corpus["dev"], tokenizer, config.data.batches.batch_s, plain_text, unreadable=unreadable)
    data = SpeechData(batches, dev, done * settings.accumulate, settings.max_steps * settings.accumulate, config.data)
    module = TrainModule(model, config)
    module.unreadable = Tally("train", len(batches.utterances), config.data.max_unreadable)
    take_steps(config, module, data, output, resumed=done > 0)
    return whole_model(model)


def take_steps(config: RunConfig, module: TrainModule, data: SpeechData, output: Path, *, resumed: bool) -> None:
    """The steps that are left, and at their end how much of the speech could not be read.

    Raises:
        TrainingError, DataError, FileError: if the run cannot go on.
        KeyboardInterrupt: of Ctrl-C.
    """
    trainer, last = build_trainer(config, output), str(output / CHECKPOINT) if resumed else None
    try:
        trainer.fit(module, data, ckpt_path=last, weights_only=True)
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # of which Lightning makes exit code 1
            raise KeyboardInterrupt from error
        raise
    except OSError as error:  # of the libraries' own records, such as TensorBoard's
        where = printable(error.filename) if error.filename else printable(output)
        raise FileError(f"training stopped: {reason(error)}", where=where) from error
    if module.unreadable.found:
        _log.warning("%d utterances were left out: their audio cannot be read", len(module.unreadable.found))


def build_trainer(config: RunConfig, output: Path) -> L.Trainer:
    """Lightning's, with our checkpoints and records."""
    settings = config.trainer
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*|.*`__len__` defined.*|.*in eval mode at the start.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    callbacks: list[L.Callback] = [Metrics(output, settings.log_every), Checkpoints(output, settings)]
    if settings.progress:
        callbacks.append(RichProgressBar(refresh_rate=5))
    return L.Trainer(
        max_steps=settings.max_steps,
        max_epochs=-1,
        accumulate_grad_batches=settings.accumulate,
        precision="bf16-mixed" if _wants_bfloat16(settings) else "32-true",
        devices=settings.devices,
        strategy=strategy(settings),
        accelerator=settings.accelerator,
        gradient_clip_val=config.optimizer.clip,
        val_check_interval=min(settings.validate_every, settings.max_steps) * settings.accumulate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        inference_mode=settings.strategy != "fsdp",  # its buffers for whole parameters serve training too
        logger=TensorBoardLogger(output, name="tensorboard", version=""),
        callbacks=callbacks,
        plugins=[StateFiles()],
        enable_checkpointing=False,
        enable_progress_bar=settings.progress,
        enable_model_summary=False,
        log_every_n_steps=settings.log_every,
        use_distributed_sampler=False,
    )


def check_devices(settings: TrainerConfig) -> None:
    """Whether the devices that a run asks for are there.

    Raises:
        ConfigError: if not.
    """
    kind, wanted = settings.accelerator, settings.devices
    if kind in (Accelerator.gpu, Accelerator.cuda, Accelerator.mps):
        mps = torch.backends.mps.is_available() and kind != Accelerator.cuda
        there = torch.cuda.device_count() if kind != Accelerator.mps else 0
        if max(there, int(mps)) < wanted:
            raise ConfigError(
                f"trainer.accelerator {kind}, trainer.devices {wanted}: this machine has {there or int(mps)} of them",
                fix="Take trainer=cpu, or fewer devices.",
            )


def _wants_bfloat16(settings: TrainerConfig) -> bool:
    """Whether to compute in bfloat16: on a CPU without its instructions it is seven times slower than float32."""
    if settings.precision != Precision.auto:
        return settings.precision == Precision.bfloat16
    if torch.cuda.is_available() and settings.accelerator != "cpu":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported())


def record_config(config: RunConfig, output: Path) -> None:
    """The resolved configuration, before step 1."""
    record = {"config": asdict(config), "torch": torch.__version__, "lightning": L.__version__}
    write_atomically(output / RECORD, json.dumps(record, indent=1, allow_nan=False) + "\n")


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
