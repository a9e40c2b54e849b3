"""Limits of the machine on one thread (memory bandwidth, matrix products), and the work that a model needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from speech.nn.decoder.compiled import CompiledDecoder
from speech.nn.linears import quantized

_TRIES = 5
_GEMM = (512, 2048, 2048)
"""Rows, inner width and outputs: large enough to be bound by arithmetic, not memory."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Number and size of the weights of a part of a model; addable."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: Weights) -> Weights:
        return Weights(self.count + other.count, self.bytes + other.bytes)

    def __sub__(self, other: Weights) -> Weights:
        return Weights(self.count - other.count, self.bytes - other.bytes)


@dataclass(frozen=True, slots=True)
class Machine:
    """Measured peak rates of one core."""

    int8: float
    """Operations per second; a multiply-add counts as two."""
    float32: float

    def products_s(self, weights: Weights, rows: float) -> float:
        """Minimum seconds to multiply `rows` rows by the weights, in the precision in which the weights are stored."""
        rate = self.int8 if weights.bytes < 2 * weights.count else self.float32
        return 2 * weights.count * rows / rate


def bandwidth(size: int) -> float:
    """Bytes per second when an array of `size` bytes is read repeatedly."""
    array = np.ones(max(size // 4, 1), np.float32)
    tensor = torch.from_numpy(array)
    return array.nbytes / min(_fastest(tensor.sum), _fastest(lambda: np.dot(array, array)))


def measured() -> Machine:
    """Measure the rates of matrix products; the fastest of several implementations counts."""
    rows, width, outputs = _GEMM
    operations = 2.0 * rows * width * outputs
    x, weight = torch.randn(rows, width), torch.randn(outputs, width)
    whole, whole_weight = ((127 * t / t.abs().max()).to(torch.int8) for t in (x, weight))
    turned = whole_weight.t().contiguous()
    ways: list[Callable[[], object]] = [lambda: torch._int_mm(whole, turned)]
    if "x86" in torch.backends.quantized.supported_engines:
        packed = torch.ops.quantized.linear_prepack(quantized(whole_weight, torch.full((outputs,), 0.03)), None)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        ways.append(lambda: product(x, 0.05, 64, packed))
    with torch.inference_mode():
        return Machine(operations / min(map(_fastest, ways)), operations / _fastest(lambda: x @ weight.t()))


def weights(module: nn.Module, without: Collection[nn.Module] = ()) -> Weights:
    """Weights of the linear layers, convolutions and tied embeddings in a module, in any precision.

    Args:
        module: module of a loaded model.
        without: submodules to leave out.
    """
    found = Weights()
    for part in module.modules():
        if part in without:
            found = found - weights(part)
        found = found + _own(part)
    return found


def _own(part: nn.Module) -> Weights:
    if isinstance(part, CompiledDecoder):
        numbers = [packed.numbers.size for packed in part.read_by_a_step()]
        scales = [packed.scales.size for packed in part.read_by_a_step()]
        return Weights(sum(numbers), sum(numbers) + 4 * sum(scales))
    packed = getattr(part, "_packed", None)
    if packed is not None and not isinstance(packed, torch.Tensor):  # int8 with a float32 scale per output
        weight = torch.ops.quantized.linear_unpack(packed)[0]
        return Weights(weight.numel(), weight.numel() + 4 * len(weight))
    weight = getattr(part, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:  # e.g. norms
        return Weights()
    return Weights(weight.numel(), weight.numel() * weight.element_size())


def _fastest(call: Callable[[], object]) -> float:
    """Minimum CPU time of a call over several tries; other load on the machine does not count."""
    call()
    times = []
    for _ in range(_TRIES):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)
