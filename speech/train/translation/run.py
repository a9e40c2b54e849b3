"""Trains EMMA's policy for a label model: corpus -> batches of translations -> policy network -> a policy file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from speech.audio.augment import WaveAugment
from speech.data.manifest import Utterance
from speech.data.mixing import hours_per_language
from speech.data.reading import Tally
from speech.errors import ConfigError
from speech.files import printable
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import LabelCheckpoint, load_label_checkpoint, save_label_checkpoint
from speech.models.hub import locate
from speech.models.hybrid import is_hybrid
from speech.models.policy_file import POLICY, PolicyFile, load_policy, save_policy
from speech.models.storage import LABEL
from speech.tensors import check_finite
from speech.train.asr.corpus import read_corpus
from speech.train.label.batches import LabelBatch, LabelBatches
from speech.train.loop.callbacks import METRICS
from speech.train.loop.config import ParallelStrategy
from speech.train.loop.curve import draw_curve
from speech.train.loop.distributed import is_first
from speech.train.loop.run import CURVE, RunSpeech, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done
from speech.train.translation.batches import TranslationDev, translatable
from speech.train.translation.config import TranslationConfig
from speech.train.translation.module import TranslationModule


def train_translation(config: TranslationConfig) -> Path | None:
    """Train a policy for a label model, or resume the run in the output folder.

    Returns:
        The policy file; None in all processes but the first. With `train_cross_attention` it lies in the folder of the
        label model that it belongs to.

    Raises:
        ConfigError, DataError, FileError, ModelError: before the first step, if an input is invalid.
        TrainingError, DataError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    if not config.base:
        raise ConfigError("base is not set", fix="Give a label model or a hybrid, e.g. base=embedded.")
    if config.trainer.strategy == ParallelStrategy.fsdp:
        raise ConfigError("trainer.strategy fsdp does not divide a policy network", fix="Take trainer=ddp.")
    output = begin(config)
    corpus = read_corpus(config)
    folder = label_folder(locate(config.base))
    base = load_label_checkpoint(folder)
    if base.tokenizer.english_only:
        raise ConfigError(f"{config.base} knows English alone", fix="Give a label model of several languages.")
    if not base.model.true_length:
        fix = "Train its decoder first: recipes/hybrid/train.py."
        raise ConfigError(f"{config.base} needs audio padded to 30 s, so nothing is heard before its end", fix=fix)
    if config.distillation.steps and not base.model.alignment_heads:
        raise ConfigError(f"{config.base} has no alignment heads to distil from", fix="Give distillation.steps=0.")
    record_config(config, output)
    module = TranslationModule(base.model, config)
    if config.start:
        _start(module, Path(config.start), fingerprint(folder))
    speech = partial(_read_speech, config, base, corpus)
    fit(config, module, speech, output, steps_done(config, output), score_start=True)
    if not is_first():
        return None
    trained = averaged(config.trainer, output)
    if trained is not None:
        module.model.load_state_dict(trained)
    check_finite(module.model.state_dict(), "the trained policy", "It has not been written. Lower optimizer.lr.")
    loss = ("train/text", "train, cross-entropy per token")
    draw_curve(output / METRICS, output / CURVE, loss, ("dev/text", "dev/lagging"))
    return _saved(config, module, base, folder, translatable(corpus["train"], base.tokenizer, config.label))


def label_folder(checkpoint: Path) -> Path:
    """Folder of the label model in a hybrid, or of a label model itself.

    Raises:
        ModelError: if the directory is not a checkpoint.
    """
    return checkpoint / LABEL if is_hybrid(checkpoint) else checkpoint


def _start(module: TranslationModule, path: Path, base: str) -> None:
    """Take over the parameters of a policy file.

    Raises:
        ModelError: if it is damaged, or for another label model.
        ConfigError: if its network has another shape.
    """
    network = load_policy(path, base).network
    if network.config != module.network.config:
        raise ConfigError(
            f"start {printable(path)} has {network.config}, expected {module.network.config}",
            fix="Give the settings of policy that it was trained with.",
        )
    module.network.load_state_dict(network.state_dict())


def _read_speech(
    config: TranslationConfig, base: LabelCheckpoint, corpus: Mapping[str, list[Utterance]]
) -> RunSpeech[LabelBatch]:
    """Translated utterances as batches.

    Raises:
        ConfigError: if train or dev has none in a language that the decoder knows.
    """
    found = {part: translatable(corpus[part], base.tokenizer, config.label) for part in ("train", "dev")}
    targets = ", ".join(config.label.targets)
    for part, utterances in found.items():
        if not utterances:
            raise ConfigError(
                f"no utterance of {part} has a translation into {targets}, and a language that the decoder knows",
                fix="Look at the manifest's translations, and at data.languages.",
            )
    augment = WaveAugment(config.data.augment) if config.data.augment is not None else None
    longest = base.model.max_tokens
    batches = LabelBatches(
        found["train"], base.tokenizer, config.label, longest, config.seed, augment, cache=config.data.cache
    )
    tally, unreadable = (Tally(part, len(found[part]), config.data.max_unreadable) for part in ("train", "dev"))
    dev = TranslationDev(found["dev"], base.tokenizer, config, longest, unreadable)
    return RunSpeech(batches, dev, tally, config.data.workers)


def _saved(
    config: TranslationConfig,
    module: TranslationModule,
    base: LabelCheckpoint,
    folder: Path,
    heard: Sequence[Utterance],
) -> Path:
    """Write the policy, and the label model if it has changed; returns the policy file."""
    output, card = Path(config.output), policy_card(config, heard)
    if config.train_cross_attention:
        info = {**base.info, "name": config.name, "cross_attention_steps": config.trainer.max_steps}
        found = replace(base, info=info, targets={})
        folder = output / "model"
        save_label_checkpoint(folder, found, card=card, storage=config.storage)
        output = folder
    path = output / POLICY
    save_policy(path, PolicyFile(module.network, fingerprint(folder), card), config.storage)
    return path


def policy_card(config: TranslationConfig, heard: Sequence[Utterance]) -> str:
    """The card in Markdown: what was trained, on which data, and its licences."""
    hours, into = hours_per_language(heard), ", ".join(config.label.targets)
    also = " and the decoder's cross-attention" if config.train_cross_attention else ""
    lines = [
        f"# {config.name}",
        "",
        f"A policy for simultaneous translation into {into} (EMMA, arXiv 2312.04515): policy network{also} trained for "
        f"{config.trainer.max_steps} steps{_taught(config)} with latency weight {config.delay_loss.latency:g} and "
        f"variance weight {config.delay_loss.variance:g}, on {sum(hours.values()):.1f} h of speech in {len(hours)} "
        "languages.",
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in sorted({(u.source, u.licence) for u in heard})],
    ]
    return "\n".join(lines) + "\n"


def _taught(config: TranslationConfig) -> str:
    """Of the card: how many steps are distillation."""
    steps = min(config.distillation.steps, config.trainer.max_steps)
    if not steps:
        return ""
    return f", the first {steps} of them on AlignAtt's decisions with a margin of {config.distillation.margin_s:g} s,"
