"""Checkpoints of all kinds; each is a directory with `config.json` and `README.md` (the model card).

    owsm_ctc   `model.safetensors`, `tokenizer.model`
    whisper    `encoder.safetensors`, `decoder.safetensors`, `tokenizer.json`
    hybrid     as owsm_ctc, and a whisper checkpoint in `label/` (`speech.models.hybrid`); layers that both share lie
               there alone

Beside `model.safetensors` may lie `lm.safetensors`, an n-gram model of the same tokens (`speech.decode.lm.ngram`),
and `lexicon.safetensors`, words (`speech.decode.lm.lexicon`); `adapters/` holds one file for each language that has an
adapter (`speech.models.adapters.file`).

It carries data only. `kind` is looked up in a closed table of imported classes; unknown keys are refused.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from speech.choices import Storage as Storage
from speech.errors import ConfigError, ModelError
from speech.files import replacing_folder
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.models.storage import (
    RECORD,
    WHISPER,
    SharedTensors,
    load_weights,
    read_record,
    save_weights,
    without_memory,
    write_record,
)
from speech.models.translation_targets import KEY, Targets, read_targets, to_record
from speech.models.whisper import Whisper, WhisperConfig
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.encoder.base import EncoderConfig
from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.nn.prompt import PromptConfig
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import Vocabulary

LABEL = "label"
"""Folder of the label model in a hybrid checkpoint."""
SHARED = "shared_layers"
"""Key of a hybrid's `config.json`: layers of both encoders, from below, that are the same, with the convolutions."""
LANGUAGE_MODEL = "lm.safetensors"
LEXICON = "lexicon.safetensors"
KINDS: Mapping[str, type[OwsmCtcConfig] | type[WhisperConfig]] = {
    "owsm_ctc": OwsmCtcConfig,
    WHISPER: WhisperConfig,
    "hybrid": OwsmCtcConfig,
}
"""Of checkpoints -> what configures the model, or that of the CTC encoder where there are two."""
_ENCODERS: dict[str, type[EncoderConfig]] = {"whisper": WhisperEncoderConfig, "e_branchformer": EBranchformerConfig}
_WEIGHTS = {"model.safetensors": ""}
_TOKENIZER = "tokenizer.model"
_LABEL_WEIGHTS = {"encoder.safetensors": "encoder.", "decoder.safetensors": "decoder."}
_LABEL_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A CTC model that is ready to use, and what belongs to it."""

    model: OwsmCtc
    tokenizer: Tokenizer
    info: dict[str, Any]
    """What training recorded: languages heard, chunk sizes, seeds, scores."""
    targets: Targets = field(default_factory=dict)
    """That it translates into, with what was measured."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A checkpoint of a CTC model without its weights."""

    config: OwsmCtcConfig
    tokenizer: Tokenizer
    info: dict[str, Any]
    targets: Targets = field(default_factory=dict)
    shared_layers: int = 0
    """That lie in the label model of a hybrid."""

    def empty(self) -> OwsmCtc:
        """The model without numbers: what it consists of, and how large that is."""
        return build_empty(self.config, self.tokenizer.vocabulary)


@dataclass(frozen=True, slots=True)
class LabelCheckpoint:
    """A label model that is ready to use, and what belongs to it."""

    model: Whisper
    tokenizer: LabelTokenizer
    info: dict[str, Any]
    """Where it comes from, and what training recorded."""
    targets: Targets = field(default_factory=dict)
    """That it translates into, with what was measured."""


@dataclass(frozen=True, slots=True)
class LabelOutline:
    """A checkpoint of a label model without its weights."""

    config: WhisperConfig
    tokenizer: LabelTokenizer
    info: dict[str, Any]
    targets: Targets = field(default_factory=dict)

    def empty(self) -> Whisper:
        """The model without numbers: what it consists of, and how large that is."""
        with without_memory():
            return self.config.build()


def save_checkpoint(
    directory: Path,
    model: OwsmCtc,
    tokenizer: Tokenizer,
    *,
    info: dict[str, Any],
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
    targets: Targets | None = None,
) -> None:
    """Write a checkpoint; the directory appears whole or not at all. An older one at that place is replaced.

    Args:
        directory: where.
        model: its parameters and configuration.
        tokenizer: of the model.
        info: anything that JSON can hold, kept in `config.json`.
        card: Markdown, `README.md`.
        storage: precision on disk.
        attached: name in the directory -> file that is copied there, such as the record of the training.
        targets: that it translates into, with what was measured.

    Raises:
        FileError: if the system refuses.
        ModelError: if a parameter is not finite, also where it is too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        checkpoint = Checkpoint(model, tokenizer, info, targets or {})
        write_checkpoint(folder, checkpoint, "owsm_ctc", card=card, storage=storage, attached=attached, where=directory)


def write_checkpoint(
    folder: Path,
    checkpoint: Checkpoint,
    kind: str,
    *,
    card: str,
    storage: Storage,
    attached: Mapping[str, Path] | None,
    where: Path,
    more: Mapping[str, Any] | None = None,
) -> None:
    """The files of a checkpoint with a CTC model into a folder that is there; `where` is what errors call it, and
    `more` what its record says besides. Layers of which that says that they are shared are not written. See
    `save_checkpoint`."""
    model, more = checkpoint.model, more or {}
    save_weights(folder, _WEIGHTS, model, storage, where, _borrowed(more.get(SHARED, 0)))
    record = {
        "model": config_to_dict(model.config),
        "languages": list(model.vocabulary.languages),
        "st_targets": list(model.vocabulary.st_targets),
        KEY: to_record(checkpoint.targets),
        "sos_eos": model.vocabulary.sos_eos,
        "info": checkpoint.info,
        **more,
    }
    write_record(folder, kind, record, card)
    checkpoint.tokenizer.save(folder / _TOKENIZER)
    for name, source in (attached or {}).items():
        shutil.copyfile(source, folder / name)


def save_label_checkpoint(
    directory: Path,
    checkpoint: LabelCheckpoint,
    *,
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a checkpoint of a label model; see `save_checkpoint`. In eight bits encoder and decoder of Whisper-base
    take less than 60 MB each.

    Raises:
        FileError: if the system refuses.
        ModelError: if a parameter is not finite, also where it is too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        write_label_checkpoint(folder, checkpoint, card=card, storage=storage, where=directory)
        for name, source in (attached or {}).items():
            shutil.copyfile(source, folder / name)


def write_label_checkpoint(
    folder: Path, checkpoint: LabelCheckpoint, *, card: str, storage: Storage, where: Path
) -> None:
    """Its files into a folder that is there; `where` is what errors call it. See `save_label_checkpoint`."""
    save_weights(folder, _LABEL_WEIGHTS, checkpoint.model, storage, where)
    record = {
        "model": config_to_dict(checkpoint.model.config),
        KEY: to_record(checkpoint.targets),
        "info": checkpoint.info,
    }
    write_record(folder, WHISPER, record, card)
    (folder / _LABEL_TOKENIZER).write_bytes(checkpoint.tokenizer.data)


def load_checkpoint(directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False) -> Checkpoint:
    """Read the CTC model of a checkpoint; it is in evaluation mode and float32.

    Args:
        directory: of a checkpoint, also of a hybrid one.
        device: of the model.
        as_stored: leave the weights of linear layers in the numbers in which they lie on disk, in eight bits as
            quantised tensors, for `with_precision` to make of them what it needs: the rest of the file is not read
            before, and nothing is held twice.

    Raises:
        ModelError: naming the file, and the key where there is one, if anything is missing, unknown or does not fit, or
            a number is not finite.
    """
    outline = load_outline(directory)
    model = outline.empty()
    load_weights(model, directory, _WEIGHTS, as_stored=as_stored, borrowed=_borrowed(outline.shared_layers))
    return Checkpoint(model.to(device), outline.tokenizer, outline.info, outline.targets)


def _borrowed(shared_layers: int) -> SharedTensors:
    """What the CTC model of a hybrid has from the label model, whose encoder's tensors are called alike."""
    layers = (f"encoder.layers.{n}." for n in range(shared_layers))
    return (
        SharedTensors(f"{LABEL}/encoder.safetensors", ("encoder.subsampling.", *layers))
        if shared_layers
        else SharedTensors()
    )


def load_label_checkpoint(
    directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False
) -> LabelCheckpoint:
    """Read a label model; see `load_checkpoint`. With `as_stored` its tied embedding stays as it lies on disk too."""
    outline = load_label_outline(directory)
    model = outline.empty()
    load_weights(model, directory, _LABEL_WEIGHTS, as_stored=as_stored)
    return LabelCheckpoint(model.to(device), outline.tokenizer, outline.info, outline.targets)


def load_label_outline(directory: Path) -> LabelOutline:
    """What a label model is, without reading its weights.

    Raises:
        ModelError: naming the file, if anything but the weights is missing, unknown or does not fit.
    """
    record = _record(directory, WhisperConfig, (*_LABEL_WEIGHTS, _LABEL_TOKENIZER), ("model", "info"))
    config = config_from_dict(WhisperConfig, record["model"], str(directory / RECORD))
    data = (directory / _LABEL_TOKENIZER).read_bytes()
    tokenizer = LabelTokenizer(data, english_only=config.english_only, added=config.added_tokens())
    if tokenizer.first_timestamp > config.decoder.vocabulary - len(config.added):
        raise ModelError(
            f"has {tokenizer.first_timestamp} tokens, the model {config.decoder.vocabulary}",
            where=str(directory / _LABEL_TOKENIZER),
        )
    return LabelOutline(config, tokenizer, record["info"], read_targets(record, str(directory / RECORD)))


def kind_of(directory: Path) -> str:
    """One of `KINDS`.

    Raises:
        ModelError: if it is no checkpoint.
    """
    return str(read_record(directory, list(KINDS), (), ())["kind"])


def shares_layers(directory: Path) -> bool:
    """Whether the CTC model of a checkpoint has layers in the label model beside it."""
    return (directory / RECORD).is_file() and bool(read_record(directory, list(KINDS), (), ()).get(SHARED))


def load_outline(directory: Path) -> Outline:
    """What the CTC model of a checkpoint is, without reading its weights.

    Raises:
        ModelError: naming the file, if anything but the weights is missing, unknown or does not fit.
    """
    keys = ("model", "languages", "st_targets", "sos_eos", "info")
    record = _record(directory, OwsmCtcConfig, (*_WEIGHTS, _TOKENIZER), keys)
    where = str(directory / RECORD)
    config = config_from_dict(OwsmCtcConfig, record["model"], where)
    tokenizer = Tokenizer.from_pieces(
        (directory / _TOKENIZER).read_bytes(),
        languages=record["languages"],
        st_targets=record["st_targets"],
        sos_eos=record["sos_eos"],
    )
    shared, most = record.get(SHARED, 0), getattr(config.encoder, "prefix_after", 0)
    if type(shared) is not int or shared not in (0, most):
        raise ModelError(f"{SHARED} is {shared!r}, expected 0 or {most}", where=where)
    return Outline(config, tokenizer, record["info"], read_targets(record, where), shared)


def _record(directory: Path, configured: type, files: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    kinds = [kind for kind, cls in KINDS.items() if cls is configured]
    if (directory / RECORD).is_file():  # another kind has other files
        read_record(directory, kinds, (), ())
    return read_record(directory, kinds, files, keys)


def build_empty(config: OwsmCtcConfig, vocabulary: Vocabulary) -> OwsmCtc:
    """A model whose parameters take no memory and no time; constant tables are real."""
    with without_memory():
        return config.build(vocabulary)


def config_to_dict(config: OwsmCtcConfig | WhisperConfig) -> dict[str, Any]:
    """Plain data of a configuration, the encoder's class as `kind`."""
    record = dataclasses.asdict(config)
    kinds = {cls: kind for kind, cls in _ENCODERS.items()}
    record["encoder"] = {"kind": kinds[type(config.encoder)], **record["encoder"]}
    return record


def config_from_dict[C: (OwsmCtcConfig, WhisperConfig)](cls: type[C], record: dict[str, Any], where: str) -> C:
    """The inverse of `config_to_dict`.

    Raises:
        ModelError: for unknown and missing keys, and for numbers that are out of range.
    """
    try:
        encoder = dict(record["encoder"])
        values = {**record, "encoder": _ENCODERS[encoder.pop("kind")](**encoder)}
        if cls is WhisperConfig:
            values["decoder"] = LabelDecoderConfig(**record["decoder"])
            values["alignment_heads"] = [(int(layer), int(head)) for layer, head in record["alignment_heads"]]
        else:
            values["prompt"] = PromptConfig(**record["prompt"]) if record["prompt"] is not None else None
            values["front_end"] = FrontEnd(record["front_end"])
        return cls(**values)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=where) from error
