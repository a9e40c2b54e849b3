"""Trains a Whisper decoder for audio at true length: corpus -> batches -> decoder layers -> mean with the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from speech.audio.augment import WaveAugment
from speech.data.manifest import Utterance, read_manifest
from speech.data.mixing import hours_per_language
from speech.data.reading import Tally
from speech.errors import ConfigError
from speech.models.added_languages import add_languages
from speech.models.checkpoint import LabelCheckpoint, load_label_checkpoint, save_label_checkpoint
from speech.models.hub import locate
from speech.tensors import check_finite
from speech.text.languages import ENGLISH
from speech.train.asr.corpus import read_corpus
from speech.train.label.batches import LabelBatch, LabelBatches
from speech.train.label.config import LabelConfig
from speech.train.label.dev import LabelDev
from speech.train.label.module import LabelModule
from speech.train.label.rows import learnable, targets_of, teachable
from speech.train.loop.callbacks import METRICS
from speech.train.loop.config import ParallelStrategy
from speech.train.loop.curve import draw_curve
from speech.train.loop.distributed import is_first
from speech.train.loop.run import CURVE, RunSpeech, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done

SYNTHETIC = "synthetic"
"""Key of the synthetic speech, beside the parts of the corpus."""


def train_label(config: LabelConfig) -> Path | None:
    """Train the layers of a Whisper decoder, or resume the run in the output folder.

    Returns:
        The directory of the result; None in all processes but the first.

    Raises:
        ConfigError, DataError, FileError, ModelError: before the first step, if an input is invalid.
        TrainingError, DataError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    if not config.base:
        raise ConfigError("base is not set", fix="Give a Whisper model, e.g. base=DIR of `speech import`.")
    if config.trainer.strategy == ParallelStrategy.fsdp:
        raise ConfigError("trainer.strategy fsdp does not divide a label decoder", fix="Take trainer=ddp.")
    output = begin(config)
    corpus = read_corpus(config) | {SYNTHETIC: read_synthetic(config)}
    base = load_label_checkpoint(locate(config.base))
    if base.tokenizer.english_only:
        raise ConfigError(f"{config.base} knows English alone", fix="Give a Whisper of several languages.")
    base = add_languages(base, config.added)
    for code in config.label.targets:
        if code not in base.tokenizer.languages:
            raise ConfigError(f"label.targets: {config.base} does not know {code}", fix="Leave it out.")
    record_config(config, output)
    before = {name: value.clone() for name, value in base.model.decoder.state_dict().items()}
    module = LabelModule(base.model, config)
    if config.start:
        _start(base, config.start)
    fit(config, module, partial(_read_speech, config, base, corpus), output, steps_done(config, output))
    if not is_first():
        return None
    trained = averaged(config.trainer, output) or base.model.decoder.state_dict()
    base.model.decoder.load_state_dict(mean(before, trained, config.kept))
    check_finite(base.model.state_dict(), "the trained model", "It has not been written. Lower optimizer.lr.")
    loss = ("train/text", "train, cross-entropy per token")
    draw_curve(output / METRICS, output / CURVE, loss, ("dev/text", "dev/language"))
    spoken = teachable(corpus[SYNTHETIC], base.tokenizer)
    info = _info(config, base.info, learnable(corpus["train"], base.tokenizer), spoken)
    base.model.config.true_length = True
    base.model.config.st_targets = list(dict.fromkeys((*base.model.config.st_targets, *config.label.targets)))
    found = replace(base, model=base.model.eval(), info=info, targets={})
    save_label_checkpoint(output / "model", found, card=label_card(config, info), storage=config.storage)
    return output / "model"


def read_synthetic(config: LabelConfig) -> list[Utterance]:
    """Read the utterances of all `label.synthetic`, restricted to the configured languages.

    Raises:
        DataError: if a manifest is broken or missing, or audio is missing.
    """
    found = [u for path in config.label.synthetic for u in read_manifest(Path(path), check_files=True)]
    return [u for u in found if not config.data.languages or u.language in config.data.languages]


def _start(base: LabelCheckpoint, start: str) -> None:
    """Load the decoder layers of another model into `base`; the teacher, a copy made earlier, is not affected."""
    found = load_label_checkpoint(locate(start)).model.decoder
    for ours, others in ((base.model.decoder.layers, found.layers), (base.model.decoder.norm, found.norm)):
        try:
            ours.load_state_dict(others.state_dict())
        except RuntimeError as error:
            raise ConfigError(
                f"start={start} is of another shape than base", fix="Give a run from that base."
            ) from error


def _read_speech(
    config: LabelConfig, base: LabelCheckpoint, corpus: Mapping[str, list[Utterance]]
) -> RunSpeech[LabelBatch]:
    """The corpus as batches.

    Raises:
        ConfigError: if no utterance is in a known language.
    """
    augment = WaveAugment(config.data.augment) if config.data.augment is not None else None
    tokenizer, longest = base.tokenizer, base.model.max_tokens
    batches = LabelBatches(
        corpus["train"],
        tokenizer,
        config.label,
        longest,
        config.seed,
        augment,
        cache=config.data.cache,
        synthetic=corpus[SYNTHETIC],
    )
    if not batches.utterances:
        raise ConfigError("no utterance is in a language that the decoder knows", fix="Look at data.languages.")
    if config.label.synthetic and not batches.synthetic:
        text = "no utterance of label.synthetic is in a language that the teacher knows"
        raise ConfigError(text, fix="Look at data.languages.")
    for code in set(config.label.targets) - {ENGLISH}:
        if not any(code in targets_of(utterance, config.label) for utterance in batches.utterances):
            text = f"label.targets: no utterance of train has a translation into {code}"
            raise ConfigError(text, fix="Look at the manifest's translations and at label.held_out, or leave it out.")
    tally = Tally("train", len(batches.utterances) + len(batches.synthetic), config.data.max_unreadable)
    unreadable = Tally("dev", len(corpus["dev"]), config.data.max_unreadable)
    dev = LabelDev(corpus["dev"], tokenizer, config.label, longest, unreadable)
    return RunSpeech(batches, dev, tally, config.data.workers)


def mean(before: Mapping[str, Tensor], trained: Mapping[str, Tensor], kept: float) -> dict[str, Tensor]:
    """Interpolate between the weights `before` (kept = 0) and `trained` (kept = 1)."""
    return {name: value + kept * (trained[name].to(value) - value) for name, value in before.items()}


def _info(
    config: LabelConfig, base: Mapping[str, Any], heard: Sequence[Utterance], spoken: Sequence[Utterance]
) -> dict[str, Any]:
    synthetic = {"synthetic_hours": _hours(spoken)} if spoken else {}
    return {
        **base,
        "name": config.name,
        "source": _public(str(base.get("source") or config.base)),
        "seed": config.seed,
        "steps": config.trainer.max_steps,
        "kept": config.kept,
        "label": asdict(config.label) | {"synthetic": [Path(path).name for path in config.label.synthetic]},
        "hours": _hours(heard),
        **synthetic,
        "sources": sorted({(u.source, u.licence) for u in (*heard, *spoken)}),
    }


def _hours(utterances: Sequence[Utterance]) -> dict[str, float]:
    return {code: round(value, 3) for code, value in sorted(hours_per_language(utterances).items())}


def _public(source: str) -> str:
    """A hub id unchanged; for a local directory, only its name."""
    path = Path(source).expanduser()
    return path.name if path.is_absolute() or path.is_dir() else source


def label_card(config: LabelConfig, info: Mapping[str, Any]) -> str:
    """The model card in Markdown: model, training data, licences; `info` is that of the checkpoint."""
    hours, synthetic = info["hours"], info.get("synthetic_hours", {})
    spoken = f"{sum(synthetic.values()):.1f} h of synthetic speech in {len(synthetic)} languages"
    lines = [
        f"# {config.name}",
        "",
        f"A Whisper model ({info['source']}) whose decoder layers were trained for {config.trainer.max_steps} steps to "
        f"hear utterances at their true length, on {sum(hours.values()):.1f} h of speech in {len(hours)} languages.",
        f"The weights are {1 - config.kept:g} times the published ones and {config.kept:g} times the trained ones; "
        "encoder, embedding, output matrix and positions are as published. Licence of those: "
        f"{info.get('licence') or 'the source names none; the weights of the Whisper models of OpenAI are MIT'}.",
        *(
            [f"So that it forgets no language, it kept to what the untrained decoder says of {spoken}."]
            if synthetic
            else []
        ),
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in info["sources"]],
    ]
    return "\n".join(lines) + "\n"
