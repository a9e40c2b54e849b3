"""Trains a pronunciation model: pronounced words -> batches -> CTC -> a checkpoint of kind `pronunciation`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speech.data.reading import Tally
from speech.errors import ConfigError
from speech.models.letter_phonemes import LetterPhonemes
from speech.models.letter_phonemes_checkpoint import LetterPhonemesCheckpoint, save_letter_phonemes_checkpoint
from speech.tensors import check_finite
from speech.text.letter_vocabulary import LetterVocabulary
from speech.train.loop.callbacks import METRICS, read_metrics
from speech.train.loop.curve import draw_curve
from speech.train.loop.run import CURVE, RunSpeech, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done
from speech.train.pronunciation.batches import (
    PronouncedWords,
    PronunciationBatch,
    PronunciationBatches,
    PronunciationDev,
    PronunciationPacker,
    fitting,
    read_pronunciations,
    read_sources,
)
from speech.train.pronunciation.config import PronunciationTrainConfig
from speech.train.pronunciation.module import PronunciationModule

_REPORTED = ("dev/phonemes_wrong", "dev/words_wrong")


def train_pronunciation(config: PronunciationTrainConfig) -> Path:
    """Train a pronunciation model, or resume the run in the output folder.

    Returns:
        The directory of the result.

    Raises:
        ConfigError, DataError, FileError: before the first step, if an input is invalid.
        TrainingError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    if config.trainer.devices > 1:
        raise ConfigError(f"trainer.devices {config.trainer.devices}: one process only", fix="Take trainer.devices=1.")
    output = begin(config)
    sentences = {part: _read(config, part) for part in ("train", "dev")}
    heard = [*sentences["train"], *sentences["dev"]]
    vocabulary = LetterVocabulary.of(
        (word for own in heard for word in own.words),
        (phonemes for own in heard for phonemes in own.phonemes),
        (own.language for own in heard),
    )
    model = config.model.build(vocabulary)
    record_config(config, output)

    def speech() -> RunSpeech[PronunciationBatch]:
        packers = {part: PronunciationPacker(own, vocabulary) for part, own in sentences.items()}
        train = PronunciationBatches(packers["train"], config.rows, config.seed)
        tally = Tally("train", len(sentences["train"]), 0.0)
        return RunSpeech(train, PronunciationDev(packers["dev"], config.rows), tally, config.data.workers)

    module = PronunciationModule(model, config)
    fit(config, module, speech, output, steps_done(config, output), score_start=True)
    trained = averaged(config.trainer, output)
    if trained is not None:
        model.load_state_dict(trained)
    check_finite(model.state_dict(), "the trained model", "It has not been written. Lower optimizer.lr.")
    draw_curve(output / METRICS, output / CURVE, ("train/ctc", "train, CTC"), ("dev/ctc", "dev/phonemes_wrong"))
    info = _info(config, sentences["train"], output / METRICS)
    save_letter_phonemes_checkpoint(
        output / "model",
        LetterPhonemesCheckpoint(model.eval(), info),
        card=pronunciation_card(model, info),
        storage=config.storage,
        attached={CURVE: output / CURVE, METRICS: output / METRICS},
    )
    return output / "model"


def _read(config: PronunciationTrainConfig, part: str) -> list[PronouncedWords]:
    """Sentences of a part of all corpora; of dev, some evenly from all of them."""
    found = [own for folder in config.corpora for own in read_pronunciations(Path(folder) / f"{part}.jsonl")]
    found = fitting(part, found, config.model.repeats)
    if not found:
        raise ConfigError(f"no text of {part} is left", fix="Raise model.repeats.")
    return found[:: -(-len(found) // config.rows.dev_rows)] if part == "dev" else found


def _info(config: PronunciationTrainConfig, read: Sequence[PronouncedWords], metrics: Path) -> dict[str, Any]:
    """Metadata of the checkpoint: data, steps, and what the last validation of the unaveraged model found."""
    rows = [row for row in read_metrics(metrics) if "dev/ctc" in row]
    words: Counter[str] = Counter()
    for own in read:
        words[own.language] += len(own.words)
    return {
        "name": config.name,
        "seed": config.seed,
        "steps": config.trainer.max_steps,
        "words": dict(sorted(words.items())),
        "sources": sorted({source for folder in config.corpora for source in read_sources(Path(folder))}),
        "dev": {name: rows[-1][name] for name in _REPORTED if name in rows[-1]} if rows else {},
    }


def pronunciation_card(model: LetterPhonemes, info: Mapping[str, Any]) -> str:
    """The model card in Markdown; `info` is that of the checkpoint."""
    words = info["words"]
    lines = [
        f"# {info['name']}",
        "",
        f"How words are pronounced in {', '.join(words)}: {model.parameter_count / 1e6:.2f} M parameters, "
        f"{len(model.vocabulary.phonemes)} phonemes.",
        "",
        f"Trained for {info['steps']} steps on {sum(words.values())} words in sentences and alone. It knows what its "
        "teachers wrote, with their mistakes.",
        "",
        "| words to train on | |",
        "|---|---|",
        *[f"| {code} | {count} |" for code, count in words.items()],
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
