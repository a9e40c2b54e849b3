"""Trains a speech language model: corpus -> codes -> packed batches -> cross-entropy -> a checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from speech.data.manifest import Utterance
from speech.data.mixing import hours_per_language
from speech.data.reading import Tally, Unreadable
from speech.errors import ConfigError, DataError
from speech.models.aligned_ar import AlignedAr
from speech.models.codec import NeuralCodec
from speech.models.codec_checkpoint import load_codec_checkpoint
from speech.models.dual_ar import DualAr
from speech.models.hub import locate
from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from speech.models.speech_lm_checkpoint import (
    CODEC_FOLDER,
    KnownSpeaker,
    SpeechLmCheckpoint,
    load_speech_lm_checkpoint,
    save_speech_lm_checkpoint,
)
from speech.tensors import check_finite, load_tensors
from speech.text.speech_vocabulary import SpeechVocabulary
from speech.train.asr.corpus import read_corpus
from speech.train.loop.callbacks import METRICS, read_metrics
from speech.train.loop.curve import draw_curve
from speech.train.loop.run import CURVE, RunSpeech, averaged, begin, fit, record_config
from speech.train.loop.state import steps_done
from speech.train.speech_lm.aligned_batches import AlignedBatch, AlignedPacker, read_aligned
from speech.train.speech_lm.aligned_module import AlignedModule
from speech.train.speech_lm.alignments import read_alignments
from speech.train.speech_lm.batches import (
    Packer,
    Packing,
    SpeakerTable,
    SpeechLmBatch,
    SpeechLmBatches,
    SpeechLmDev,
    read_spoken,
)
from speech.train.speech_lm.codes import encode_corpus, read_codes
from speech.train.speech_lm.config import Conditioner, SpeechLmTrainConfig
from speech.train.speech_lm.lora import LoraWrapping
from speech.train.speech_lm.module import SpeechLmModule


class Start(NamedTuple):
    """What a run begins with."""

    model: DualAr | AlignedAr
    vocabulary: SpeechVocabulary
    codec: NeuralCodec
    codec_folder: Path


class Corpora(NamedTuple):
    """Train and dev as they are trained on."""

    utterances: Mapping[str, list[Utterance]]
    codes: Mapping[str, Mapping[str, Any]]
    alignments: Mapping[str, Mapping[str, Any]]
    """Empty for models that are not aligned."""
    speakers: SpeakerTable | None


def train_speech_lm(config: SpeechLmTrainConfig) -> Path:
    """Train a speech language model, or resume the run in the output folder.

    Returns:
        The directory of the result.

    Raises:
        ConfigError, DataError, FileError, ModelError: before the first step, if an input is invalid.
        TrainingError, DataError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    if config.trainer.devices > 1:
        text = f"trainer.devices {config.trainer.devices}: training in several processes is not supported here"
        raise ConfigError(text, fix="Take trainer.devices=1, and trainer.accumulate for larger batches.")
    output = begin(config)
    pronunciation = _pronunciation(config)
    corpus = read_corpus(config, check_files=not config.codes)
    start = _start(config, corpus)
    record_config(config, output)
    alignments = _alignments(config, start.model)
    codes, tally = _codes(config, corpus, start.codec, output)
    lora = LoraWrapping(start.model, config.lora) if config.lora.rank else None
    spoken = {part: corpus[part] for part in ("train", "dev")}
    speakers = _speakers(config, start.model)
    corpora = Corpora(spoken, codes, alignments, speakers)
    _fit(config, start, corpora, tally, output)
    trained = averaged(config.trainer, output)
    if trained is not None:
        start.model.load_state_dict(trained)
    model = start.model if lora is None else lora.merged()
    check_finite(model.state_dict(), "the trained model", "It has not been written. Lower optimizer.lr.")
    last = f"code_{model.codebooks - 1}"
    draw_curve(
        output / METRICS, output / CURVE, ("train/code_0", "train, first codebook"), ("dev/code_0", f"dev/{last}")
    )
    info = _info(config, start, corpus["train"], output / METRICS)
    known = _known(speakers, corpus["train"]) if speakers is not None else {}
    checkpoint = SpeechLmCheckpoint(model.eval(), start.vocabulary, info, known)
    attached = {CURVE: output / CURVE, METRICS: output / METRICS}
    save_speech_lm_checkpoint(
        output / "model",
        checkpoint,
        card=speech_lm_card(checkpoint),
        codec=start.codec_folder,
        pronunciation=pronunciation,
        storage=config.storage,
        attached=attached,
    )
    return output / "model"


def _start(config: SpeechLmTrainConfig, corpus: Mapping[str, list[Utterance]]) -> Start:
    """Model, vocabulary and codec before the first step.

    Raises:
        ModelError: if a checkpoint cannot be loaded.
        ConfigError: if the model is not of the codec's shape.
    """
    base = locate(config.init.checkpoint) if config.init.checkpoint else None
    if config.codec or base is None:
        folder = locate(config.codec)
    else:
        folder = base / CODEC_FOLDER
    codec = load_codec_checkpoint(folder).model
    if base is None:
        shape = config.aligned if config.conditioner == Conditioner.aligned else config.model
        model = replace(shape, codebooks=codec.codebooks, codebook_size=codec.codebook_size, frame_s=codec.frame_s)
        heard = [u for part in ("train", "dev") for u in corpus[part]]
        languages = [u.language for u in heard] if config.text.languages else []
        vocabulary = SpeechVocabulary.of(config.text.unit, languages, (u.text for u in heard), model.frame_tokens)
        return Start(model.build(vocabulary.layout), vocabulary, codec, folder)
    loaded = load_speech_lm_checkpoint(base)
    ours, theirs = ((own.codebooks, own.codebook_size) for own in (loaded.model, codec))
    if ours != theirs:
        text = f"the codec has {theirs[0]} codebooks of {theirs[1]} codes, the model {ours[0]} of {ours[1]}"
        raise ConfigError(text, fix="Give the codec of the model.")
    return Start(loaded.model, loaded.vocabulary, codec, folder)


def _codes(
    config: SpeechLmTrainConfig, corpus: Mapping[str, list[Utterance]], codec: NeuralCodec, output: Path
) -> tuple[dict[str, dict[str, Any]], Tally]:
    """Codes by part and id, and the tally of training utterances without any."""
    found, tallies = {}, {}
    for part in ("train", "dev"):
        tallies[part] = Tally(part, len(corpus[part]), config.data.max_unreadable)
        if config.codes:
            found[part] = read_codes(codec, Path(config.codes) / f"{part}.safetensors")
            missing = [u.id for u in corpus[part] if u.id not in found[part]]
            tallies[part].add(Unreadable(name, "it has no codes") for name in missing)
            tallies[part].check()
        else:
            (output / "codes").mkdir(exist_ok=True)
            path = output / "codes" / f"{part}.safetensors"
            found[part] = encode_corpus(codec, corpus[part], path, tallies[part])
    return found, tallies["train"]


def _alignments(config: SpeechLmTrainConfig, model: DualAr | AlignedAr) -> Mapping[str, Mapping[str, Any]]:
    """Durations of symbols by part and id, if the model is aligned.

    Raises:
        ConfigError: if they are given to a model that is not, or are not given to one that is.
        DataError, ModelError: as `read_alignments`.
    """
    if isinstance(model, AlignedAr) != bool(config.alignments):
        kind = "an aligned model" if isinstance(model, AlignedAr) else "a model that is not aligned"
        raise ConfigError(f"alignments {config.alignments!r} for {kind}", fix="Aligned models need them, others none.")
    if not config.alignments:
        return {}
    return {part: read_alignments(Path(config.alignments) / f"{part}.safetensors") for part in ("train", "dev")}


def _fit(config: SpeechLmTrainConfig, start: Start, corpora: Corpora, tally: Tally, output: Path) -> None:
    """Train the model, or go on."""
    steps, model = steps_done(config, output), start.model.train()
    if isinstance(model, AlignedAr):
        aligned = partial(_read_aligned, config, corpora, start, tally)
        fit(config, AlignedModule(model, config), aligned, output, steps, score_start=True)
    else:
        prefixed = partial(_read_prefixed, config, corpora, start, tally)
        fit(config, SpeechLmModule(model, config), prefixed, output, steps, score_start=True)


def _read_prefixed(
    config: SpeechLmTrainConfig, corpora: Corpora, start: Start, tally: Tally
) -> RunSpeech[SpeechLmBatch]:
    """Texts and frames behind them as packed batches."""
    packers = {}
    for part, utterances in corpora.utterances.items():
        spoken = read_spoken(part, utterances, corpora.codes[part], start.vocabulary, config.packing, corpora.speakers)
        packers[part] = Packer(spoken, start.codec, corpora.speakers)
    return _run_speech(config, packers, tally)


def _read_aligned(config: SpeechLmTrainConfig, corpora: Corpora, start: Start, tally: Tally) -> RunSpeech[AlignedBatch]:
    """Frames and what they say as packed batches."""
    packers = {}
    for part, utterances in corpora.utterances.items():
        spoken = read_aligned(
            part,
            utterances,
            corpora.codes[part],
            corpora.alignments[part],
            start.vocabulary,
            config.packing,
            corpora.speakers,
            start.codec.frame_s,
        )
        packers[part] = AlignedPacker(spoken, start.codec, corpora.speakers)
    return _run_speech(config, packers, tally)


def _run_speech[B](config: SpeechLmTrainConfig, packers: Mapping[str, Packing[B]], tally: Tally) -> RunSpeech[B]:
    train = SpeechLmBatches(packers["train"], config.packing, config.seed)
    return RunSpeech(train, SpeechLmDev(packers["dev"], config.packing), tally, config.data.workers)


def _speakers(config: SpeechLmTrainConfig, model: DualAr | AlignedAr) -> SpeakerTable | None:
    """Embeddings of the speakers, if the model takes them.

    Raises:
        ConfigError: if they are given to a model that takes none, or are not given to one that does.
        DataError: if one has another size.
    """
    dim = model.config.speaker_dim
    if bool(dim) != bool(config.speakers):
        raise ConfigError(f"speakers {config.speakers!r}; the model takes embeddings of size {dim}")
    if not dim:
        return None
    table = load_tensors(Path(config.speakers))
    for name, embedding in table.items():
        if embedding.shape != (dim,):
            text = f"{name} has shape {tuple(embedding.shape)}, expected ({dim},)"
            raise DataError(text, where=config.speakers)
    return SpeakerTable(table, dim)


def _pronunciation(config: SpeechLmTrainConfig) -> Path | None:
    """The folder of the pronunciation model.

    Raises:
        ModelError: if there is none, or it is damaged.
    """
    if not config.pronunciation:
        return None
    folder = locate(config.pronunciation)
    load_letter_phonemes_checkpoint(folder)
    return folder


def _known(speakers: SpeakerTable, heard: Sequence[Utterance]) -> dict[str, KnownSpeaker]:
    """Speakers that were heard, each with the language that was most heard of them."""
    seconds: dict[str, Counter[str]] = {}
    for utterance in heard:
        seconds.setdefault(utterance.speaker, Counter())[utterance.language] += utterance.duration_s  # type: ignore[assignment]
    return {
        name: KnownSpeaker(own.most_common(1)[0][0], speakers.of[name])
        for name, own in sorted(seconds.items())
        if name in speakers.of
    }


def _info(config: SpeechLmTrainConfig, start: Start, heard: Sequence[Utterance], metrics: Path) -> dict[str, Any]:
    """Metadata of the checkpoint: data, steps, and what the last validation of the unaveraged model found."""
    rows = [row for row in read_metrics(metrics) if "dev/loss" in row]
    return {
        "name": config.name,
        "seed": config.seed,
        "steps": config.trainer.max_steps,
        "from": Path(config.init.checkpoint).name if config.init.checkpoint else "",
        "lora": asdict(config.lora),
        "packing": asdict(config.packing),
        "hours": {code: round(value, 3) for code, value in sorted(hours_per_language(heard).items())},
        "sources": sorted({(u.source, u.licence) for u in heard}),
        "dev": {name: value for name, value in rows[-1].items() if name.startswith("dev/")} if rows else {},
    }


def speech_lm_card(checkpoint: SpeechLmCheckpoint) -> str:
    """The model card in Markdown: model, training data, licences."""
    model, info = checkpoint.model, checkpoint.info
    hours, fast = info["hours"], model.config.fast
    told = "each frame is told its symbol" if isinstance(model, AlignedAr) else "the text stands before the frames"
    lines = [
        f"# {info['name']}",
        "",
        f"A speech language model: {checkpoint.vocabulary.unit} of texts to {model.codebooks} codes out of "
        f"{model.codebook_size} per frame of {model.frame_s * 1000:.1f} ms. It has {model.parameter_count / 1e6:.1f} M "
        f"parameters; {told}; the codes of a frame are predicted by {fast.layers} layers ({fast.kind}).",
        "",
        f"Trained for {info['steps']} steps on {sum(hours.values()):.1f} h of speech in {len(hours)} languages.",
        *([f"It began as {info['from']}."] if info["from"] else []),
        "",
        "| source | licence |",
        "|---|---|",
        *[f"| {source} | {licence} |" for source, licence in info["sources"]],
        "",
        "| at the last validation, cross-entropy in nats | |",
        "|---|---|",
        *[f"| {name.removeprefix('dev/')} | {value} |" for name, value in info["dev"].items()],
    ]
    return "\n".join(lines) + "\n"
