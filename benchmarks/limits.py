"""What the machine can do at best, by one thread: read memory, multiply matrices; and what a model asks of it."""

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
"""Rows, width, outputs: large enough that sums, not memory, take the time."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Numbers that a part of a model multiplies by; addable."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: Weights) -> Weights:
        return Weights(self.count + other.count, self.bytes + other.bytes)

    def __sub__(self, other: Weights) -> Weights:
        return Weights(self.count - other.count, self.bytes - other.bytes)


@dataclass(frozen=True, slots=True)
class Machine:
    """Measured rates of one core."""

    int8: float
    """Operations a second, a multiplication and an addition being two."""
    float32: float

    def products_s(self, weights: Weights, rows: float) -> float:
        """Fewest seconds to multiply so many rows by the weights, in the numbers in which they lie."""
        rate = self.int8 if weights.bytes < 2 * weights.count else self.float32
        return 2 * weights.count * rows / rate


def bandwidth(size: int) -> float:
    """Bytes a second at which an array of so many bytes is read again and again."""
    array = np.ones(max(size // 4, 1), np.float32)
    tensor = torch.from_numpy(array)
    return array.nbytes / min(_fastest(tensor.sum), _fastest(lambda: np.dot(array, array)))


def measured() -> Machine:
    """Rates of matrix products; of several ways to multiply the fastest."""
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
    """Of linear layers, convolutions and tied embeddings within a module, in whatever numbers they lie.

    Args:
        module: of a loaded model.
        without: modules within it that are not counted.
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
    if packed is not None and not isinstance(packed, torch.Tensor):  # eight bits, and a scale for each output
        weight = torch.ops.quantized.linear_unpack(packed)[0]
        return Weights(weight.numel(), weight.numel() + 4 * len(weight))
    weight = getattr(part, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:  # norms
        return Weights()
    return Weights(weight.numel(), weight.numel() * weight.element_size())


def _fastest(call: Callable[[], object]) -> float:
    """Processor seconds: what else the machine does takes none of them."""
    call()
    times = []
    for _ in range(_TRIES):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)
