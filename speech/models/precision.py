"""Precision of a loaded model: chosen at load time, without separate code paths."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from speech.choices import Precision as Precision
from speech.errors import ConfigError
from speech.models.base import Model
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.cpu.int8 import int8_copy, int8_runs
from speech.nn.cpu.packed import packed_copy, packing_runs
from speech.nn.ctc import SparseConditioning
from speech.nn.decoder.compiled import compiled_copy
from speech.nn.linears import in_float32, shared_copy
from speech.nn.speech_lm.compiled import compiled_steps_copy
from speech.nn.tied_embedding import TiedEmbedding


def with_precision[M: Model](model: M, precision: Precision, *, conditioning_top: int | None = None) -> M:
    """Return the model converted to `precision`; unchanged parts are shared with the original.

    Args:
        model: in float32, or as stored (see `load_checkpoint`).
        precision: target precision.
        conditioning_top: maximum tokens fed back per frame (see `SparseConditioning`); None: all.

    Raises:
        ConfigError: if the precision is unknown, there are no kernels for it on this machine or device, or
            `conditioning_top` is below 1 or the model has no intermediate outputs.
    """
    if precision not in list(Precision):
        raise ConfigError(f"precision {precision!r}", fix=f"Give one of {', '.join(Precision)}.")
    device = _place(model)
    runs = int8_runs() and device.type == "cpu"
    if precision == Precision.int8 and not runs:
        raise ConfigError(
            f"no eight-bit kernels for device {device}", fix="Take precision float32 or bfloat16, or an x86 CPU."
        )
    if conditioning_top is not None:
        model = _sparse_copy(model, conditioning_top)
    if precision == Precision.bfloat16 or (precision == Precision.auto and _in_bfloat16(device)):
        return _copy_in(model, torch.bfloat16)
    if runs and precision != Precision.float32:
        return int8_copy(compiled_steps_copy(compiled_copy(model), int8=True))
    if device.type == "cpu" and packing_runs():
        stepping = compiled_steps_copy(_copy_in(model, torch.float32, {TiedEmbedding}), int8=False)
        return packed_copy(stepping)  # packing and compiling read weights as stored
    return _copy_in(model, torch.float32)


def _place(model: Model) -> torch.device:
    return model.device


def _in_bfloat16(device: torch.device) -> bool:
    """Whether a GPU supports bfloat16 natively; float16, which older GPUs support, overflows in these models."""
    if device.type != "cuda":
        return False
    return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)


def _sparse_copy[M: Model](model: M, top: int) -> M:
    if not isinstance(model, OwsmCtc) or model.conditioning is None or top < 1:
        raise ConfigError(f"conditioning_top {top}", fix="At least 1, and a model with intermediate outputs.")
    return shared_copy(model, {id(model.conditioning): SparseConditioning(model.conditioning, top)})


def _copy_in[M: Model](model: M, dtype: torch.dtype, of: Collection[type[nn.Module]] | None = None) -> M:
    """Copy with all parameters, or those of the layer classes `of`, in another dtype; log-mel constants stay float32,
    whose range they need."""
    parameters = (
        p for module in model.modules() if of is None or type(module) in of for p in module.parameters(recurse=False)
    )
    other = {id(p): nn.Parameter(in_float32(p).to(dtype), requires_grad=False) for p in parameters if p.dtype != dtype}
    return shared_copy(model, other) if other else model
