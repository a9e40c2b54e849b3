"""Training in several processes: sharding, gathering and joint termination."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

import torch
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, set_model_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from speech.errors import SpeechError
from speech.train.loop.config import TrainerConfig
from speech.train.loop.state import read_state

_LAUNCHER = "SPEECH_LAUNCHER_PID"
_WATCH_S = 1.0
_FAREWELL_S = 60.0


class Sharded(ModelParallelStrategy):
    """Lightning strategy for models that `shard` divided, with the same checkpoints as a single process.

    Lightning's own loading fails on parameters without optimiser state (frozen layers) and on checkpoints of other
    strategies. Here every process reads the file and keeps its part.
    """

    lightning_restore_optimizer = True

    def __init__(self, processes: int) -> None:
        super().__init__(data_parallel_size=processes, tensor_parallel_size=1, save_distributed_checkpoint=False)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Optimiser state in whole tensors, gathered one by one; empty in all processes but the first."""
        local = optimizer.state_dict()
        state: dict[int, dict[str, Any]] = {}
        for number, values in local["state"].items():
            whole = {name: _whole(value) for name, value in values.items()}
            if self.is_global_zero:
                state[number] = whole
        return {"state": state, "param_groups": local["param_groups"]}

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read the checkpoint, memory-mapped."""
        return read_state(Path(checkpoint_path))

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Load each process's part of the parameters."""
        assert self.model is not None
        options = StateDictOptions(full_state_dict=True, strict=strict)
        set_model_state_dict(self.model, checkpoint["state_dict"], options=options)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Load each process's part of the optimiser moments, for the parameters that have some."""
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            numbers = [number for group in saved["param_groups"] for number in group["params"]]
            state = {
                number: {name: _part(value, parameter) for name, value in saved["state"][number].items()}
                for number, parameter in zip(numbers, parameters, strict=True)
                if number in saved["state"]
            }
            optimizer.load_state_dict({"state": state, "param_groups": saved["param_groups"]})


def _whole(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value


def _part(value: Any, parameter: Tensor) -> Any:
    """This process's shard of a tensor with the shape of `parameter`; any other value unchanged."""
    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor) or value.shape != parameter.shape:
        return value
    mesh = parameter.device_mesh
    return distribute_tensor(value.to(mesh.device_type), mesh, parameter.placements, src_data_rank=None)


def strategy(settings: TrainerConfig) -> str | Strategy:
    """The Lightning strategy for `settings.strategy`.

    `ddp` searches for unused parameters, since frozen layers have no gradient. `fsdp` shards parameters, gradients and
    optimiser state on any device; Lightning's own FSDP is for GPUs only, and its optimiser does not see the original
    parameters.
    """
    if settings.strategy == "fsdp":
        return Sharded(settings.devices)
    return "ddp_find_unused_parameters_true" if settings.strategy == "ddp" else settings.strategy


def shard(model: nn.Module, layers: Iterable[nn.Module], mesh: DeviceMesh) -> None:
    """Shard each parameter over the processes of `mesh`; a layer's parameters are gathered while it computes."""
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers as plain CPU tensors, in the first process only. Every process must call this function."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return cast(dict[str, Tensor], get_model_state_dict(model, options=options))


def whole_model[M: nn.Module](model: M, build: Callable[[], M]) -> M:
    """Return `model`, or for a sharded model, an unsharded copy made with `build`.

    Every process must call this function; only the first may use the result.
    """
    if not isinstance(model, FSDPModule):
        return model
    state = whole_state(model)
    plain = build()
    if state:
        plain.load_state_dict(state)
    return plain


def end_together(error: SpeechError | None, processes: int) -> NoReturn:
    """End a run in all processes, each of which must call this function: the first raises the first error among them.

    The other processes sleep until the first ends, which ends them (`end_with_launcher`): a launcher kills everything
    if one of its processes exits before the message is printed.
    """
    errors: list[SpeechError | None] = [error]
    if processes > 1:
        errors = [None] * processes
        torch.distributed.all_gather_object(errors, error)
    if not is_first():
        time.sleep(_FAREWELL_S)
        sys.exit(1)
    raise next(found for found in errors if found is not None)


def is_first() -> bool:
    """Whether this is the first (or only) process, which writes files."""
    return rank_zero_only.rank == 0  # type: ignore[attr-defined]


def end_with_launcher() -> None:
    """Make processes that the first one starts exit when it ends, even if it is killed or they are blocked."""
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        os.environ[_LAUNCHER] = str(os.getpid())
        return
    launcher = int(os.environ.get(_LAUNCHER, os.getppid()))
    threading.Thread(target=_end_after, args=(launcher,), name="launcher-watch", daemon=True).start()


def _end_after(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(_WATCH_S)
    os._exit(1)
