"""An int8 export in small, node by node: the state dicts come back as its numbers stand for."""

import json

import numpy as np
import pytest
import torch

from speech.errors import ModelError
from speech.models.importers.kokoro import import_kokoro
from speech.models.importers.kokoro_names import new_name
from speech.models.importers.kokoro_onnx import read_onnx
from tests.published_kokoro import SETTINGS, WIDTHS, published_tensors

onnx = pytest.importorskip("onnx", reason="extra `export`")

ALBERT = "bert.encoder.albert_layer_groups.0.albert_layers.0."
FROM_ONNX = [0, 3, 1, 2]
"""Gates of an LSTM in ONNX's order by their place in torch's."""


class Export:
    """Nodes and constants of a file."""

    def __init__(self):
        self.nodes, self.constants, self.expected = [], [], {}

    def constant(self, name, value):
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))

    def node(self, operation, path, inputs, outputs=("y",)):
        self.nodes.append(onnx.helper.make_node(operation, inputs, list(outputs), name=path))

    def quantised(self, name, value, axis=None):
        """Store a value in eight bits with a scale for each place of `axis`, or one; return what is stored."""
        others = tuple(n for n in range(value.ndim) if n != axis) if axis is not None else None
        scale = np.abs(value).max(axis=others, keepdims=True).astype(np.float32) / 100
        zero = np.full(scale.shape, 7 if axis is None else 0, np.int8)
        stored = (np.round(value / scale) + zero).astype(np.int8)
        self.constant(f"{name}_quantized", stored)
        self.constant(f"{name}_scale", scale.reshape(-1) if axis is not None else scale.reshape(()))
        self.constant(f"{name}_zero", zero.reshape(-1) if axis is not None else zero.reshape(()))
        return (stored.astype(np.float32) - zero) * scale

    def save(self, path):
        graph = onnx.helper.make_graph(self.nodes, "kokoro", [], [], initializer=self.constants)
        onnx.save(onnx.helper.make_model(graph), str(path))
        return path


def node_path(layer):
    """Path of a layer's node, as exports name it."""
    part, _, rest = layer.partition(".")
    front = "/decoder/decoder" if part == "decoder" else "/encoder"
    bare = part == "decoder" or (part == "predictor" and rest.startswith(("F0", "N", "shared")))
    names = [] if bare else [part]
    for name in rest.split(".") if rest else []:
        if name.isdigit() and names:
            names[-1] += f".{name}"
        else:
            names.append(name)
    if part == "text_encoder" and rest.startswith("cnn"):
        names = [part, f"cnn.{rest.split('.')[1]}", rest]
    if layer == "decoder.asr_res.0":
        names = ["asr_res", "asr_res.0"]
    return "/".join([front, *names])


def exported(skip=()):
    """An export of all published tensors, and what they are after eight bits."""
    export = Export()
    parts = published_tensors(SETTINGS, WIDTHS)
    plain = {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
    for name in [name for name in plain if name.endswith("weight_g")]:
        base = name.removesuffix("_g")
        plain[base] = torch._weight_norm(plain.pop(f"{base}_v"), plain.pop(name), 0)
    lstms = sorted({name.rpartition(".")[0] for name in plain if "_l0" in name})
    for layer in lstms:
        given = {
            name: plain.pop(f"{layer}.{name}")
            for name in [n.rpartition(".")[2] for n in plain if f"{layer}." in n and "_l0" in n]
        }
        put_lstm(export, layer, given)
    for name, tensor in plain.items():
        if "pooler" not in name and name not in skip:
            put(export, name, tensor.numpy())
    return export


def put(export, name, value):
    layer, _, kind = name.rpartition(".")
    path, named = node_path(layer), f"{'decoder' if name.startswith('decoder') else 'encoder'}.{name}"
    if kind != "weight" or value.ndim < 2:
        export.constant(named, value)
        export.expected[name] = value
    elif "embedding" in layer.rpartition(".")[2]:
        export.expected[name] = export.quantised(named, value)
        export.node("Gather", f"{path}/Gather_quant", [f"{named}_quantized", "tokens"], [f"{layer}_out"])
        export.node("DequantizeLinear", "", [f"{layer}_out", f"{named}_scale", f"{named}_zero"])
    elif value.ndim == 2 and "l_linear" in layer:
        export.constant("onnx::MatMul_1", value.T)
        export.node("MatMul", f"{path}/MatMul", ["x", "onnx::MatMul_1"])
        export.expected[name] = value
    elif value.ndim == 2:
        export.expected[name] = export.quantised(f"onnx::{layer}", value.T, axis=1).T
        inputs = ["x", f"onnx::{layer}_quantized", "x_zero", f"onnx::{layer}_zero"]
        export.node("MatMulInteger", f"{path}/MatMul_quant", inputs)
        if layer.startswith(ALBERT):  # the layer is unrolled
            export.node("MatMulInteger", f"{path}_1/MatMul_quant", inputs)
    elif ".pool" in layer or ".ups." in layer:
        export.constant(f"{path}/Mul", value)
        export.node("ConvTranspose", f"{path}/ConvTranspose", ["x", f"{path}/Mul", "bias"])
        export.expected[name] = value
    else:
        export.expected[name] = export.quantised(f"{path}/Mul", value)
        export.node("ConvInteger", f"{path}/Conv_quant", ["x", f"{path}/Mul_quantized", "x_zero", f"{path}/Mul_zero"])


def put_lstm(export, layer, given):
    def gates(tensor):
        return np.concatenate([np.split(tensor.numpy(), 4)[gate] for gate in FROM_ONNX])

    ends, names = ("", "_reverse"), []
    for kind in ("weight_ih", "weight_hh"):
        value = np.stack([gates(given[f"{kind}_l0{end}"]).T for end in ends])
        stored = export.quantised(f"onnx::{layer}.{kind}", value, axis=0)
        names.append(f"onnx::{layer}.{kind}")
        for end, own in zip(ends, stored, strict=True):
            blocks = np.split(own.T, 4)
            export.expected[f"{layer}.{kind}_l0{end}"] = np.concatenate([blocks[n] for n in (0, 2, 3, 1)])
    bias = [np.concatenate([gates(given[f"bias_{kind}_l0{end}"]) for kind in ("ih", "hh")]) for end in ends]
    export.constant(f"onnx::{layer}.bias", np.stack(bias))
    for name, tensor in given.items():
        if name.startswith("bias"):
            export.expected[f"{layer}.{name}"] = tensor.numpy()
    one, two = names
    inputs = ["x", f"{one}_quantized", f"{two}_quantized", f"onnx::{layer}.bias", "", "", "", ""]
    inputs += [f"{one}_scale", f"{one}_zero", f"{two}_scale", f"{two}_zero"]
    export.node("DynamicQuantizeLSTM", f"{node_path(layer)}/LSTM_quant", inputs)


def test_tensors_are_what_their_numbers_stand_for(tmp_path):
    export = exported()
    parts = read_onnx(export.save(tmp_path / "k.onnx"))
    found = {f"{part}.{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
    assert found.keys() == export.expected.keys()
    for name, value in export.expected.items():
        torch.testing.assert_close(found[name], torch.from_numpy(np.array(value)), atol=1e-6, rtol=1e-5)
    parts_as_published = published_tensors(SETTINGS, WIDTHS)
    for name in ("weight_ih_l0_reverse", "weight_hh_l0", "bias_hh_l0"):
        wanted = parts_as_published["predictor"][f"shared.{name}"]
        assert (found[f"predictor.shared.{name}"] - wanted).abs().max() < 0.01 * wanted.abs().max()


def test_an_export_is_imported_like_the_published_weights(tmp_path):
    export = exported()
    export.save(tmp_path / "k.onnx")
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS))
    state = import_kokoro(tmp_path).model.state_dict()
    for name, value in export.expected.items():
        if "embeddings" not in name:
            torch.testing.assert_close(
                state[new_name(name, 2)], torch.from_numpy(np.array(value)), atol=1e-6, rtol=1e-5
            )


def test_what_is_missing_or_damaged_is_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS))
    exported(skip=("decoder.encode.conv1.weight",)).save(tmp_path / "k.onnx")
    with pytest.raises(ModelError, match=r"decoder\.first\.conv1\.weight"):
        import_kokoro(tmp_path)
    export = exported()
    export.constants = [one for one in export.constants if one.name != "onnx::bert_encoder_scale"]
    export.save(tmp_path / "k.onnx")
    with pytest.raises(ModelError, match=r"scale or zero point of onnx::bert_encoder_quantized is missing"):
        import_kokoro(tmp_path)
    (tmp_path / "k.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"k\.onnx: is no ONNX file"):
        import_kokoro(tmp_path)
