"""In which numbers a loaded model computes: a choice when it is loaded, never another code path."""

from __future__ import annotations

from enum import StrEnum

from speech.errors import ConfigError
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.int8 import int8_copy, int8_runs


class Precision(StrEnum):
    """Names equal values."""

    auto = "auto"
    """int8 on a CPU that has the kernels, otherwise float32."""
    float32 = "float32"
    int8 = "int8"
    """Linear layers in eight bits: about half the time, a few words in a thousand different."""


def with_precision(model: OwsmCtc, precision: Precision) -> OwsmCtc:
    """The model for computing in `precision`; what is not changed is shared with the original.

    Raises:
        ConfigError: if there is no such precision, or this machine or the model's device lacks the kernels.
    """
    if precision not in list(Precision):
        raise ConfigError(f"precision {precision!r}", fix=f"Give one of {', '.join(Precision)}.")
    runs = int8_runs() and model.feature_mean.device.type == "cpu"
    if precision == Precision.int8 and not runs:
        raise ConfigError(
            f"no eight-bit kernels for device {model.feature_mean.device}", fix="Take precision float32, or an x86 CPU."
        )
    return int8_copy(model) if runs and precision != Precision.float32 else model
