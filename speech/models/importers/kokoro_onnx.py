"""Rebuilds the state dicts of Kokoro from an int8 ONNX export, whose tensors keep their names or lie under named nodes.

Weights are what the quantised ones stand for: (q - zero point) * scale. Weight normalisation is fused in an export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speech.errors import ConfigError, ModelError
from speech.extras import needs_extra
from speech.files import printable
from speech.models.importers.kokoro_names import PARTS

_WEIGHTS = {"ConvInteger": 3, "MatMulInteger": 3, "Gather": None, "Conv": None, "ConvTranspose": None, "MatMul": None}
"""Operation -> place of its weight's zero point among the inputs; that of an embedding is an input of its
dequantisation."""
_PLACE = {"Gather": 0, "DynamicQuantizeLSTM": 1}
"""Place of the weight among the inputs, if it is not the second."""
_LAYER = re.compile(r"/(encoder|decoder/decoder)/(.+)/(?:Gemm|MatMul|Conv|Gather|LSTM)\w*")
_REPEATED = re.compile(r"_\d+$")
"""ALBERT's layer is unrolled; later copies have a number."""
_TRANSFORMS = ("decoder.generator.stft.", "decoder.generator.istft.")
"""Constants of Fourier transforms."""
_GATES = [0, 2, 3, 1]
"""Gates of an LSTM in torch's order (input, forget, cell, output) by their place in ONNX."""


@dataclass(frozen=True, slots=True)
class _Graph:
    """Nodes and constant tensors of a file."""

    nodes: list[Any]
    constants: Mapping[str, np.ndarray]
    where: str

    def weight(self, name: str, zero_point: str | None) -> np.ndarray:
        """A constant, dequantised if it is quantised; scales of matrices belong to their last axis."""
        if name not in self.constants:
            raise ModelError(f"{name} is missing", where=self.where)
        value = self.constants[name]
        if not name.endswith("_quantized"):
            return value.astype(np.float32)
        scale = self.constants.get(name.removesuffix("_quantized") + "_scale")
        if scale is None or (zero_point is not None and zero_point not in self.constants):
            raise ModelError(f"the scale or zero point of {name} is missing", where=self.where)
        zero = self.constants[zero_point] if zero_point is not None else np.zeros((), np.int32)
        if value.ndim == 3 and scale.size > 1:  # an LSTM: a scale for each direction
            scale, zero = scale.reshape(len(value), 1, -1), zero.reshape(len(value), 1, -1)
        return (value.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)


def read_onnx(path: Path) -> dict[str, dict[str, Tensor]]:
    """State dicts under the published names; ALBERT's pooler, which is not used, is missing.

    Raises:
        ConfigError: if the extra `export` is not installed.
        ModelError: if the file is damaged, or lacks a tensor that a node names.
    """
    graph = _load(path)
    found: dict[str, Tensor] = {}
    for name, value in graph.constants.items():
        key = name.removeprefix("encoder.") if name.startswith("encoder.") else name.removeprefix("decoder.")
        if key != name and value.dtype == np.float32 and not name.endswith("_scale"):
            found[key] = _tensor(value)
    zero_points = {node.input[0]: node.input[2] for node in graph.nodes if node.op_type == "DequantizeLinear"}
    for node in graph.nodes:
        layer = _layer(node.name)
        if layer is None or f"{layer}.weight" in found:
            continue
        if node.op_type == "DynamicQuantizeLSTM":
            found |= {f"{layer}.{name}": tensor for name, tensor in _lstm(node, graph).items()}
        elif node.op_type in _WEIGHTS:
            weight = node.input[_PLACE.get(node.op_type, 1)]
            if weight not in graph.constants or graph.constants[weight].ndim < 2:
                continue
            place = _WEIGHTS[node.op_type]
            given = list(node.input)[place:] if place is not None else [zero_points.get(node.output[0])]
            zero_point = given[0] if given else None
            value = graph.weight(weight, zero_point)
            found[f"{layer}.weight"] = _tensor(value.T if node.op_type.startswith("MatMul") else value)
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for key, tensor in found.items():
        part, _, name = key.partition(".")
        if part in parts and not key.startswith(_TRANSFORMS):
            parts[part][name] = tensor
    return parts


def _layer(node: str) -> str | None:
    """Published name of a node's layer: `predictor.F0.1.norm1.fc`; None if the node belongs to none."""
    match = _LAYER.fullmatch(node)
    if match is None:
        return None
    unrolled, names = match[2].startswith("bert/"), list[str]()
    for step in match[2].split("/"):
        step = _REPEATED.sub("", step) if unrolled else step
        if names and step.startswith(f"{names[-1]}."):  # a sequence says its own name again: cnn.0/cnn.0.1
            names.pop()
        names.append(step)
    layer = ".".join(names)
    if match[1] == "decoder/decoder":
        return f"decoder.{layer}"
    return layer if layer.split(".")[0] in PARTS else f"predictor.{layer}"


def _lstm(node: Any, graph: _Graph) -> dict[str, Tensor]:
    """Weights and biases of a bidirectional LSTM."""
    inputs = list(node.input)
    forward = graph.weight(inputs[1], inputs[9])  # (2, inner, 4 * hidden)
    recurrent = graph.weight(inputs[2], inputs[11])  # (2, hidden, 4 * hidden)
    biases = graph.weight(inputs[3], None)  # (2, 8 * hidden)
    found: dict[str, Tensor] = {}
    for direction, end in enumerate(("", "_reverse")):
        of_input, of_state = np.split(biases[direction], 2)
        for name, value in (
            ("weight_ih", forward[direction].T),
            ("weight_hh", recurrent[direction].T),
            ("bias_ih", of_input),
            ("bias_hh", of_state),
        ):
            gates = np.split(value, 4)
            found[f"{name}_l0{end}"] = _tensor(np.concatenate([gates[gate] for gate in _GATES]))
    return found


def _load(path: Path) -> _Graph:
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import numpy_helper
    except ImportError as error:
        raise ConfigError("needs the package onnx", where=printable(path), fix=needs_extra("export")) from error
    where = printable(path)
    try:
        graph = onnx.load(str(path)).graph
    except (DecodeError, OSError, ValueError) as error:
        raise ModelError(f"is no ONNX file: {error}", where=where, fix="Get it again.") from error
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return _Graph(list(graph.node), constants, where)


def _tensor(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value, np.float32, order="C"))
