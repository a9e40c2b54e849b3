"""Checkpoints of all kinds: directories with `config.json` and `README.md` (the model card).

    owsm_ctc   `model.safetensors`, `tokenizer.model`
    whisper    `encoder.safetensors`, `decoder.safetensors`, `tokenizer.json`
    hybrid     as owsm_ctc, and a whisper checkpoint in `label/` (`speech.models.hybrid`), which alone stores
               shared layers
    codec      `model.safetensors` (`speech.models.codec_checkpoint`)
    dual_ar    `model.safetensors`, and the codec of its codes in `codec/` (`speech.models.speech_lm_checkpoint`)
    aligned_ar likewise
    kokoro     `model.safetensors`, voices in `voices/` (`speech.models.kokoro_checkpoint`)
    watermark  `model.safetensors` (`speech.models.watermark_checkpoint`)
    pronunciation  `model.safetensors` (`speech.models.letter_phonemes_checkpoint`)

Optional files beside `model.safetensors` are `lm.safetensors`, an n-gram model of the same tokens
(`speech.decode.lm.ngram`), and `lexicon.safetensors`, words (`speech.decode.lm.lexicon`); `adapters/` holds one file
per adapted language (`speech.models.adapters.file`). Beside `decoder.safetensors`, `policy.safetensors` is a policy for
simultaneous translation (`speech.models.policy_file`).

Checkpoints contain data only. `kind` is looked up in a closed table of imported classes; unknown keys are rejected.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from speech.choices import Storage as Storage
from speech.errors import ConfigError, ModelError
from speech.files import replacing_folder
from speech.models.aligned_ar import AlignedConfig
from speech.models.codec import CodecConfig
from speech.models.dual_ar import DualArConfig
from speech.models.kokoro import KokoroConfig
from speech.models.letter_phonemes import LetterPhonemesConfig
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.models.storage import (
    ALIGNED_AR,
    CODEC,
    DUAL_AR,
    KOKORO,
    LABEL,
    PRONUNCIATION,
    RECORD,
    WATERMARK,
    WHISPER,
    SharedTensors,
    load_weights,
    read_record,
    save_weights,
    without_memory,
    write_record,
)
from speech.models.translation_targets import KEY, Targets, read_targets, to_record
from speech.models.watermark import WatermarkConfig
from speech.models.whisper import Whisper, WhisperConfig
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.encoder.base import EncoderConfig
from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.nn.prompt import PromptConfig
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import Vocabulary

SHARED = "shared_layers"
"""Key in a hybrid's `config.json`: number of lowest encoder layers, with the convolutions, shared by both encoders."""
LANGUAGE_MODEL = "lm.safetensors"
LEXICON = "lexicon.safetensors"
KINDS: Mapping[
    str,
    type[OwsmCtcConfig]
    | type[WhisperConfig]
    | type[CodecConfig]
    | type[DualArConfig]
    | type[AlignedConfig]
    | type[KokoroConfig]
    | type[WatermarkConfig]
    | type[LetterPhonemesConfig],
] = {
    "owsm_ctc": OwsmCtcConfig,
    WHISPER: WhisperConfig,
    "hybrid": OwsmCtcConfig,
    CODEC: CodecConfig,
    DUAL_AR: DualArConfig,
    ALIGNED_AR: AlignedConfig,
    KOKORO: KokoroConfig,
    WATERMARK: WatermarkConfig,
    PRONUNCIATION: LetterPhonemesConfig,
}
"""Checkpoint kind -> configuration class of its model; for a hybrid, of the CTC model."""
_ENCODERS: dict[str, type[EncoderConfig]] = {"whisper": WhisperEncoderConfig, "e_branchformer": EBranchformerConfig}
_WEIGHTS = {"model.safetensors": ""}
_TOKENIZER = "tokenizer.model"
_LABEL_WEIGHTS = {"encoder.safetensors": "encoder.", "decoder.safetensors": "decoder."}
_LABEL_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded CTC model with its tokenizer and metadata."""

    model: OwsmCtc
    tokenizer: Tokenizer
    info: dict[str, Any]
    """Training metadata: languages, chunk sizes, seeds, scores."""
    targets: Targets = field(default_factory=dict)
    """Translation targets with their measured scores."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A CTC checkpoint without its weights."""

    config: OwsmCtcConfig
    tokenizer: Tokenizer
    info: dict[str, Any]
    targets: Targets = field(default_factory=dict)
    shared_layers: int = 0
    """Number of layers stored in the label model of a hybrid."""

    def empty(self) -> OwsmCtc:
        """The model without weights: its structure and tensor sizes."""
        return build_empty(self.config, self.tokenizer.vocabulary)


@dataclass(frozen=True, slots=True)
class LabelCheckpoint:
    """A loaded label model with its tokenizer and metadata."""

    model: Whisper
    tokenizer: LabelTokenizer
    info: dict[str, Any]
    """Origin and training metadata."""
    targets: Targets = field(default_factory=dict)
    """Translation targets with their measured scores."""


@dataclass(frozen=True, slots=True)
class LabelOutline:
    """A label-model checkpoint without its weights."""

    config: WhisperConfig
    tokenizer: LabelTokenizer
    info: dict[str, Any]
    targets: Targets = field(default_factory=dict)

    def empty(self) -> Whisper:
        """The model without weights: its structure and tensor sizes."""
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
    """Write a checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        model: model to save, with its configuration.
        tokenizer: the model's tokenizer.
        info: JSON-serializable metadata, stored in `config.json`.
        card: model card in Markdown, written to `README.md`.
        storage: precision on disk.
        attached: name in the directory -> file to copy there, such as a training record.
        targets: translation targets with their measured scores.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a parameter is not finite, or too large for `storage`.
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
    """Write the files of a CTC checkpoint to an existing folder; see `save_checkpoint`. Errors name the folder `where`.
    `more` adds keys to the record; layers that it declares as shared are not written."""
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
    write_record(folder, kind, record, card, attached)
    checkpoint.tokenizer.save(folder / _TOKENIZER)


def save_label_checkpoint(
    directory: Path,
    checkpoint: LabelCheckpoint,
    *,
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a label-model checkpoint; see `save_checkpoint`. In int8, encoder and decoder of Whisper-base take less
    than 60 MB each.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a parameter is not finite, or too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        write_label_checkpoint(folder, checkpoint, card=card, storage=storage, where=directory, attached=attached)


def write_label_checkpoint(
    folder: Path,
    checkpoint: LabelCheckpoint,
    *,
    card: str,
    storage: Storage,
    where: Path,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write the files to an existing folder, which errors name `where`; see `save_label_checkpoint`."""
    save_weights(folder, _LABEL_WEIGHTS, checkpoint.model, storage, where)
    record = {
        "model": config_to_dict(checkpoint.model.config),
        KEY: to_record(checkpoint.targets),
        "info": checkpoint.info,
    }
    write_record(folder, WHISPER, record, card, attached)
    (folder / _LABEL_TOKENIZER).write_bytes(checkpoint.tokenizer.data)


def load_checkpoint(directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False) -> Checkpoint:
    """Load the CTC model of a checkpoint in float32 and evaluation mode.

    Args:
        directory: the checkpoint, which may be a hybrid.
        device: device of the model.
        as_stored: keep weights of linear layers in their precision on disk (int8 as quantized tensors) for
            `with_precision` to convert, so that the file is read lazily and no weights are held twice.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    outline = load_outline(directory)
    model = outline.empty()
    load_weights(model, directory, _WEIGHTS, as_stored=as_stored, borrowed=_borrowed(outline.shared_layers))
    return Checkpoint(model.to(device), outline.tokenizer, outline.info, outline.targets)


def _borrowed(shared_layers: int) -> SharedTensors:
    """Tensors of a hybrid's CTC model that are stored in the label model, under the same names."""
    layers = (f"encoder.layers.{n}." for n in range(shared_layers))
    return (
        SharedTensors(f"{LABEL}/encoder.safetensors", ("encoder.subsampling.", *layers))
        if shared_layers
        else SharedTensors()
    )


def load_label_checkpoint(
    directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False
) -> LabelCheckpoint:
    """Load a label model; see `load_checkpoint`. With `as_stored`, its tied embedding keeps its stored precision
    too."""
    outline = load_label_outline(directory)
    model = outline.empty()
    load_weights(model, directory, _LABEL_WEIGHTS, as_stored=as_stored)
    return LabelCheckpoint(model.to(device), outline.tokenizer, outline.info, outline.targets)


def load_label_outline(directory: Path) -> LabelOutline:
    """Load a label-model checkpoint without its weights.

    Raises:
        ModelError: naming the file, if something other than weights is missing, unknown or does not fit.
    """
    record = _record(directory, WhisperConfig, (*_LABEL_WEIGHTS, _LABEL_TOKENIZER), ("model", "info"))
    config = config_from_dict(WhisperConfig, record["model"], str(directory / RECORD))
    data = (directory / _LABEL_TOKENIZER).read_bytes()
    tokenizer = config.tokenizer(data)
    if tokenizer.first_timestamp > config.decoder.vocabulary - len(config.added):
        raise ModelError(
            f"has {tokenizer.first_timestamp} tokens, the model {config.decoder.vocabulary}",
            where=str(directory / _LABEL_TOKENIZER),
        )
    return LabelOutline(config, tokenizer, record["info"], read_targets(record, directory))


def kind_of(directory: Path) -> str:
    """The kind of a checkpoint, one of `KINDS`.

    Raises:
        ModelError: if the directory is not a checkpoint.
    """
    return str(read_record(directory, list(KINDS), (), ())["kind"])


def shares_layers(directory: Path) -> bool:
    """Whether the checkpoint's CTC model has layers that are stored in its label model."""
    return (directory / RECORD).is_file() and bool(read_record(directory, list(KINDS), (), ()).get(SHARED))


def load_outline(directory: Path) -> Outline:
    """Load a checkpoint's CTC model without its weights.

    Raises:
        ModelError: naming the file, if something other than weights is missing, unknown or does not fit.
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
    return Outline(config, tokenizer, record["info"], read_targets(record, directory), shared)


def _record(directory: Path, configured: type, files: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    kinds = [kind for kind, cls in KINDS.items() if cls is configured]
    return read_record(directory, kinds, files, keys)


def build_empty(config: OwsmCtcConfig, vocabulary: Vocabulary) -> OwsmCtc:
    """Build a model whose parameters take no memory or time; constant tables are real."""
    with without_memory():
        return config.build(vocabulary)


def config_to_dict(config: OwsmCtcConfig | WhisperConfig) -> dict[str, Any]:
    """Convert a configuration to plain data, with the encoder's class as `kind`."""
    record = dataclasses.asdict(config)
    kinds = {cls: kind for kind, cls in _ENCODERS.items()}
    record["encoder"] = {"kind": kinds[type(config.encoder)], **record["encoder"]}
    return record


def config_from_dict[C: (OwsmCtcConfig, WhisperConfig)](cls: type[C], record: dict[str, Any], where: str) -> C:
    """The inverse of `config_to_dict`.

    Raises:
        ModelError: if a key is unknown or missing, or a number is out of range.
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
