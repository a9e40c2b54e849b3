"""Averaging of the last snapshots, which has the effect of more steps and learning-rate decay at no training cost."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from speech.tensors import load_tensors, save_tensors
from speech.train.loop.distributed import is_first, whole_state


def save_snapshot(model: nn.Module, folder: Path, step: int, keep: int) -> None:
    """Write the parameters at `step` atomically and delete all but the last `keep` snapshots.

    Every process must call this function; only the first writes.

    Raises:
        FileError: if the snapshot cannot be written.
        ModelError: if a parameter is not finite.
    """
    state = whole_state(model)
    if not is_first():
        return
    save_tensors(folder / f"{step:08d}.safetensors", state)
    for old in snapshots(folder)[:-keep]:
        old.unlink()


def snapshots(folder: Path) -> list[Path]:
    """Paths of the snapshots, from old to new."""
    return sorted(folder.glob("*.safetensors"))


def average(paths: list[Path]) -> dict[str, Tensor]:
    """Mean of the parameters of `paths`, summed in float64.

    Raises:
        ModelError: if a snapshot is damaged or has non-finite values.
    """
    total: dict[str, Tensor] = {}
    for path in paths:
        for key, value in load_tensors(path).items():
            total[key] = total[key] + value.double() if key in total else value.double()
    return {key: (value / len(paths)).float() for key, value in total.items()}
