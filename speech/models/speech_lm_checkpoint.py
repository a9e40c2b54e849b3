"""Checkpoints of speech language models: `config.json` with the vocabulary, `model.safetensors` and `README.md`.

`codec/` is a checkpoint of the codec whose codes the model writes; without it codes cannot be heard. Optional are
`pronunciation/`, a checkpoint of the model that knows how words are pronounced, and `speakers.safetensors`, embeddings
of the speakers by name, whose languages the record has.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from speech.choices import Storage
from speech.errors import ConfigError, ModelError
from speech.files import replacing_folder
from speech.models.aligned_ar import AlignedAr, AlignedConfig
from speech.models.codec_checkpoint import CodecCheckpoint, load_codec_checkpoint
from speech.models.dual_ar import DualAr, DualArConfig
from speech.models.storage import (
    ALIGNED_AR,
    DUAL_AR,
    RECORD,
    load_weights,
    read_record,
    save_weights,
    without_memory,
    write_record,
)
from speech.nn.speech_lm.codebook_heads import FastConfig, FastKind
from speech.nn.speech_lm.rotary import RopeDtype
from speech.nn.speech_lm.text_encoder import TextEncoderConfig
from speech.nn.speech_lm.transformer import TransformerConfig
from speech.tensors import load_tensors, save_tensors
from speech.text.speech_vocabulary import SpeechVocabulary, TextUnit

CODEC_FOLDER, PRONUNCIATION_FOLDER = "codec", "pronunciation"
SPEAKERS = "speakers.safetensors"
_WEIGHTS = {"model.safetensors": ""}


class KnownSpeaker(NamedTuple):
    """A speaker of the training data."""

    language: str
    """ISO 639-3, of most of what was heard of them."""
    embedding: Tensor
    """`(speaker_dim,)` float32."""


@dataclass(frozen=True, slots=True)
class SpeechLmCheckpoint:
    """A loaded speech language model with its vocabulary and metadata."""

    model: DualAr | AlignedAr
    vocabulary: SpeechVocabulary
    info: dict[str, Any]
    """Origin and training metadata."""
    speakers: Mapping[str, KnownSpeaker] = field(default_factory=dict)
    """By name; none if the model takes no speaker embedding."""


class SpeechLmDescription(NamedTuple):
    """What the files of a checkpoint tell without its weights."""

    config: DualArConfig | AlignedConfig
    vocabulary: SpeechVocabulary
    info: dict[str, Any]
    """As in `SpeechLmCheckpoint`, and so are the speakers."""
    speakers: Mapping[str, KnownSpeaker]


def save_speech_lm_checkpoint(
    directory: Path,
    checkpoint: SpeechLmCheckpoint,
    *,
    card: str,
    codec: Path | None = None,
    pronunciation: Path | None = None,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        checkpoint: model, vocabulary, and JSON-serializable metadata.
        card: model card in Markdown, written to `README.md`.
        codec: checkpoint of the codec, which is copied.
        pronunciation: checkpoint of a pronunciation model, which is copied.
        storage: precision on disk.
        attached: name in the directory -> file to copy there.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a parameter is not finite, or too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        save_weights(folder, _WEIGHTS, checkpoint.model, storage, directory)
        record = {
            "model": dataclasses.asdict(checkpoint.model.config),
            "vocabulary": dataclasses.asdict(checkpoint.vocabulary),
            "info": checkpoint.info,
            "speakers": {name: own.language for name, own in checkpoint.speakers.items()},
        }
        kind = ALIGNED_AR if isinstance(checkpoint.model, AlignedAr) else DUAL_AR
        write_record(folder, kind, record, card, attached)
        if codec is not None:
            shutil.copytree(codec, folder / CODEC_FOLDER)
        if pronunciation is not None:
            shutil.copytree(pronunciation, folder / PRONUNCIATION_FOLDER)
        if checkpoint.speakers:
            save_tensors(folder / SPEAKERS, {name: own.embedding for name, own in checkpoint.speakers.items()})


def load_speech_lm_checkpoint(
    directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False
) -> SpeechLmCheckpoint:
    """Load a speech language model in float32 and evaluation mode.

    Args:
        directory: the checkpoint.
        device: device of the model.
        as_stored: keep weights of linear layers in their precision on disk, for `with_precision` to convert.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    described = describe_speech_lm(directory)
    try:
        with without_memory():
            model = described.config.build(described.vocabulary.layout)
    except (TypeError, ValueError, ConfigError) as error:
        raise _wrong(error, directory) from error
    load_weights(model, directory, _WEIGHTS, as_stored=as_stored)
    return SpeechLmCheckpoint(model.to(device), described.vocabulary, described.info, described.speakers)


def describe_speech_lm(directory: Path) -> SpeechLmDescription:
    """Read everything but the weights of the networks.

    Raises:
        ModelError: as `load_speech_lm_checkpoint`.
    """
    record = read_record(directory, (DUAL_AR, ALIGNED_AR), _WEIGHTS, ("model", "vocabulary", "info"))
    vocabulary = _vocabulary(record["vocabulary"], str(directory / RECORD))
    try:
        config = (_aligned if record["kind"] == ALIGNED_AR else dual_ar_config)(record["model"])
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise _wrong(error, directory) from error
    speakers = _speakers(directory, record.get("speakers", {}), config.speaker_dim)
    return SpeechLmDescription(config, vocabulary, record["info"], speakers)


def _wrong(error: Exception, directory: Path) -> ModelError:
    return ModelError(f"has a wrong or missing key: {error}", where=str(directory / RECORD))


def _speakers(directory: Path, languages: Any, dim: int) -> dict[str, KnownSpeaker]:
    """Speakers of a checkpoint.

    Raises:
        ModelError: if their embeddings are missing, or of another size.
    """
    if not languages:
        return {}
    where, found = str(directory / SPEAKERS), load_tensors(directory / SPEAKERS)
    if not isinstance(languages, dict) or languages.keys() != found.keys():
        raise ModelError("other speakers than in its record", where=where)
    for name, embedding in found.items():
        if embedding.shape != (dim,):
            raise ModelError(f"speaker {name} has shape {tuple(embedding.shape)}, expected ({dim},)", where=where)
    return {name: KnownSpeaker(str(languages[name]), found[name].float()) for name in languages}


def load_own_codec(directory: Path, *, device: str | torch.device = "cpu") -> CodecCheckpoint:
    """Load the codec of a speech language model's checkpoint.

    Raises:
        ModelError: if there is none, or it cannot be loaded.
    """
    folder = directory / CODEC_FOLDER
    if not folder.is_dir():
        text = f"has no folder {CODEC_FOLDER}: its codes cannot be heard"
        raise ModelError(text, where=str(directory), fix="Put a checkpoint of its codec there.")
    return load_codec_checkpoint(folder, device=device)


def dual_ar_config(record: Any) -> DualArConfig:
    """The configuration of a record; it raises what its construction does if a key is missing or wrong."""
    return DualArConfig(**{**record, **_transformers(record)})


def _aligned(record: Any) -> AlignedConfig:
    return AlignedConfig(**{**record, **_transformers(record), "text": TextEncoderConfig(**record["text"])})


def _transformers(record: Any) -> dict[str, Any]:
    """Configurations of the slow and the fast network."""
    slow, fast = ({**own, "rope_dtype": RopeDtype(own["rope_dtype"])} for own in (record["slow"], record["fast"]))
    return {"slow": TransformerConfig(**slow), "fast": FastConfig(**{**fast, "kind": FastKind(fast["kind"])})}


def _vocabulary(record: Any, where: str) -> SpeechVocabulary:
    try:
        names = {name: tuple(map(str, record[name])) for name in ("languages", "symbols")}
        return SpeechVocabulary(
            **{**record, **names, "unit": TextUnit(record["unit"]), "frames": int(record["frames"])}
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"has a wrong or missing key in vocabulary: {error}", where=where) from error
