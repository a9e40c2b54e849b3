"""The mean of the last checkpoints: what a falling learning rate and more steps would have brought, for nothing."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speech.train.distributed import is_first, whole_state


def save_snapshot(model: nn.Module, folder: Path, step: int, keep: int) -> None:
    """Write the parameters at `step` atomically and delete all but the last `keep` snapshots.

    Every process must call this; the first writes.
    """
    state = whole_state(model)
    if not is_first():
        return
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{step:08d}.partial"
    save_file({key: value.contiguous() for key, value in state.items()}, temporary)
    temporary.rename(folder / f"{step:08d}.safetensors")
    for old in snapshots(folder)[:-keep]:
        old.unlink()


def snapshots(folder: Path) -> list[Path]:
    """Snapshots from old to new."""
    return sorted(folder.glob("*.safetensors"))


def average(paths: list[Path]) -> dict[str, Tensor]:
    """Mean of the parameters of `paths`, summed in float64."""
    total: dict[str, Tensor] = {}
    for path in paths:
        for key, value in load_file(path).items():
            total[key] = total[key] + value.double() if key in total else value.double()
    return {key: (value / len(paths)).float() for key, value in total.items()}
