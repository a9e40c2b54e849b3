"""Writes ONNX files with metadata, and compares their outputs with the model's."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from speech.errors import ConfigError, ModelError
from speech.extras import needs_extra
from speech.files import replacing_folder

FORMAT = 1
TOLERANCE = 1e-3
"""Maximum deviation of log-probabilities from the model's."""
_OPSET = 17
_LARGE = 1_900_000_000
"""Bytes of weights above which they are stored in a separate file, since protobuf files are limited in size."""


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A graph to export."""

    graph: nn.Module
    inputs: dict[str, Tensor]
    """Example inputs by name."""
    outputs: list[str]
    free: dict[str, dict[int, str]]
    """Dynamic axes with their names, by input or output."""
    metadata: dict[str, str]


@contextmanager
def new_folder(directory: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `directory` at the end of the block; it is removed after an error.

    Raises:
        ConfigError: if the directory is not empty, or onnx is not installed.
        FileError: if the folder cannot be written.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError("already exists", where=str(directory), fix="Name a new folder.")
    _onnx()
    with replacing_folder(directory) as temporary:
        yield temporary


def open_onnx(path: Path) -> onnxruntime.InferenceSession:
    """Open a CPU session with as many threads as torch uses."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ConfigError("needs the package onnx", where="export", fix=needs_extra("export")) from error
    return onnx


def write_graph(path: Path, plan: OnnxGraph) -> None:
    """Export a graph to one file, or two if its weights are large, with metadata and fixed output sizes filled in."""
    onnx, graph, examples = _onnx(), plan.graph.eval(), tuple(plan.inputs.values())
    with torch.no_grad():
        answers = graph(*examples)
    answers = answers if isinstance(answers, tuple) else (answers,)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the exporter, and tracer warnings for each decision fixed in the graphs
        raw = str(Path(scratch) / path.name)
        torch.onnx.export(
            graph,
            examples,
            raw,
            dynamo=False,
            opset_version=_OPSET,
            input_names=list(plan.inputs),
            output_names=plan.outputs,
            dynamic_axes=plan.free,
        )
        proto = onnx.load(raw)
    for value, answer in zip(proto.graph.output, answers, strict=True):
        _name_sizes(value, answer, plan.free.get(value.name, {}))
    onnx.helper.set_model_props(proto, plan.metadata)
    weights = sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
    onnx.save_model(proto, str(path), save_as_external_data=weights > _LARGE, location=f"{path.name}.data")


def _name_sizes(value: Any, answer: Tensor, free: Mapping[int, str]) -> None:
    dims = value.type.tensor_type.shape.dim
    for axis, (dim, size) in enumerate(zip(dims, answer.shape, strict=True)):
        if axis in free:
            dim.dim_param = free[axis]
        else:
            dim.dim_value = size


def seeded() -> torch.Generator:
    """The random inputs of a check: the same in each export, so that its outcome is the same."""
    return torch.Generator().manual_seed(0)


def compare(path: Path, got: np.ndarray, expected: Tensor) -> None:
    """Compare the outputs of a graph and of the model.

    Raises:
        ModelError: if they differ by more than `TOLERANCE`, or in shape.
    """
    if got.shape != tuple(expected.shape):
        raise ModelError(f"answers {got.shape}, the model {tuple(expected.shape)}", where=path.name)
    difference = float(np.abs(got - expected.numpy()).max())
    if not difference <= TOLERANCE:
        raise ModelError(f"differs from the model by {difference:.2g}, more than {TOLERANCE}", where=path.name)
