"""Hybrid models (Watanabe et al. 2017, with one encoder each): CTC for streaming, a label model for the final text.

The checkpoint is that of the CTC model, with the label model's in `label/`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from speech.choices import Storage
from speech.decode.label.joint import JointConfig
from speech.errors import ConfigError, ModelError
from speech.files import replacing_folder
from speech.models.checkpoint import (
    SHARED,
    Checkpoint,
    LabelCheckpoint,
    kind_of,
    load_checkpoint,
    load_label_checkpoint,
    write_checkpoint,
    write_label_checkpoint,
)
from speech.models.owsm_ctc import FrontEnd
from speech.models.storage import LABEL, RECORD, read_record

KIND = "hybrid"
_JOINT = "joint"
"""Key of `JointConfig` in `config.json`."""


@dataclass(frozen=True, slots=True)
class Hybrid:
    """CTC model and label model, loaded, each with its tokenizer."""

    ctc: Checkpoint
    label: LabelCheckpoint
    joint: JointConfig = field(default_factory=JointConfig)
    """Joint decoding parameters."""

    shared_layers: int = 0
    """Number of lowest encoder layers shared by both models, stored once."""

    def same_layers(self) -> int:
        """Number of lowest encoder layers, without prefix, that are equal in both models, as are the convolutions; 0 if
        none. The label model's copy is the one to store."""
        model, other = self.ctc.model, self.label.model.encoder
        own, layers, config = model.encoder, model.encoder.prefix_after, model.config
        scaled = bool(model.feature_mean.any()) or bool((model.feature_std != 1).any())
        if (
            not layers
            or config.front_end != FrontEnd.whisper
            or scaled
            or any(inter <= layers for inter in config.inter_layers)
        ):
            return 0
        pairs = [(own.subsampling, other.subsampling), *zip(own.layers[:layers], other.layers[:layers], strict=False)]
        return layers if all(_same(*pair) for pair in pairs) else 0


def save_hybrid(
    directory: Path,
    hybrid: Hybrid,
    *,
    card: str,
    label_card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        hybrid: models to save.
        card: model card in Markdown, written to `README.md`.
        label_card: model card of the label model.
        storage: precision on disk of both models.
        attached: name in the directory -> file to copy there, such as an n-gram model.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a parameter is not finite, or too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        more = {_JOINT: asdict(hybrid.joint), SHARED: hybrid.same_layers()}
        write_checkpoint(
            folder, hybrid.ctc, KIND, card=card, storage=storage, attached=attached, where=directory, more=more
        )
        (folder / LABEL).mkdir()
        write_label_checkpoint(folder / LABEL, hybrid.label, card=label_card, storage=storage, where=directory / LABEL)


def save_beside_label(
    directory: Path, ctc: Checkpoint, of: Path, *, card: str, storage: Storage = Storage.float32
) -> None:
    """Write another CTC model with the label model of an existing hybrid, whose files are copied unchanged.

    Args:
        directory: target directory; an existing checkpoint is replaced.
        ctc: the new CTC model.
        of: directory of the hybrid, whose joint decoding parameters are copied too.
        card: model card in Markdown, written to `README.md`.
        storage: precision on disk of the CTC model.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if `of` is not a hybrid, or a parameter is not finite, or too large for `storage`.
    """
    record = read_record(of, [KIND], (), (_JOINT,))
    more = {_JOINT: record[_JOINT], SHARED: record.get(SHARED, 0)}
    with replacing_folder(directory) as folder:
        write_checkpoint(folder, ctc, KIND, card=card, storage=storage, attached=None, where=directory, more=more)
        shutil.copytree(of / LABEL, folder / LABEL)


def load_hybrid(directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False) -> Hybrid:
    """Load both models; arguments and errors as for `load_checkpoint`, which loads only the CTC model."""
    record = read_record(directory, [KIND], (), (_JOINT,))
    try:
        joint = JointConfig(**record[_JOINT])
    except (TypeError, ConfigError) as error:
        raise ModelError(f"{_JOINT} has a wrong key or number: {error}", where=str(directory / RECORD)) from error
    return Hybrid(
        load_checkpoint(directory, device=device, as_stored=as_stored),
        load_label_checkpoint(directory / LABEL, device=device, as_stored=as_stored),
        joint,
        record.get(SHARED, 0),
    )


def is_hybrid(directory: Path) -> bool:
    """Whether a checkpoint is a hybrid.

    Raises:
        ModelError: if the directory is not a checkpoint.
    """
    return kind_of(directory) == KIND


def _same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two layers have equal parameters, up to int8 rounding."""
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(_near(tensor, theirs[name]) for name, tensor in mine.items())


def _near(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= b.abs().max() / 127)
