"""A hybrid (Watanabe et al. 2017, with an encoder for each half): CTC hears frame by frame, a label model writes.

Its checkpoint is that of the CTC model, with that of the label model in `label/`.
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
    LABEL,
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
from speech.models.storage import RECORD, read_record

KIND = "hybrid"
_JOINT = "joint"
"""Key of its `config.json`."""


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Both halves, ready to use, each with its tokenizer."""

    ctc: Checkpoint
    label: LabelCheckpoint
    joint: JointConfig = field(default_factory=JointConfig)
    """How they decide together."""

    shared_layers: int = 0
    """Of both encoders, from below, that lie on disk once."""

    def same_layers(self) -> int:
        """Layers of both encoders, from below, that hear the audio alone and are the same, as are the convolutions.
        The label model's are kept."""
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
    """Write a checkpoint; the directory appears whole or not at all. An older one at that place is replaced.

    Args:
        directory: where.
        hybrid: what.
        card: Markdown, `README.md`.
        label_card: the same of the label model.
        storage: precision on disk, of both halves.
        attached: name in the directory -> file that is copied there, such as an n-gram model.

    Raises:
        FileError: if the system refuses.
        ModelError: if a parameter is not finite, also where it is too large for `storage`.
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
    """Write another CTC model beside the label model of a hybrid, which is copied as it lies on disk.

    Args:
        directory: where; an older checkpoint at that place is replaced.
        ctc: what takes the place of the CTC model.
        of: directory of the hybrid; how both halves decide together is taken from it too.
        card: Markdown, `README.md`.
        storage: precision on disk of the CTC model.

    Raises:
        FileError: if the system refuses.
        ModelError: if `of` is no hybrid, or a parameter is not finite, also where it is too large for `storage`.
    """
    record = read_record(of, [KIND], (), (_JOINT,))
    more = {_JOINT: record[_JOINT], SHARED: record.get(SHARED, 0)}
    with replacing_folder(directory) as folder:
        write_checkpoint(folder, ctc, KIND, card=card, storage=storage, attached=None, where=directory, more=more)
        shutil.copytree(of / LABEL, folder / LABEL)


def load_hybrid(directory: Path, *, device: str | torch.device = "cpu", as_stored: bool = False) -> Hybrid:
    """Read both halves; for arguments and errors see `load_checkpoint`, which reads the CTC model alone."""
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
    """Whether a checkpoint has a label model too.

    Raises:
        ModelError: if it is none.
    """
    return kind_of(directory) == KIND


def _same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two layers have the same parameters, but for rounding to eight bits."""
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(_near(tensor, theirs[name]) for name, tensor in mine.items())


def _near(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= b.abs().max() / 127)
