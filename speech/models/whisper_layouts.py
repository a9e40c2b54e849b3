"""Names of Whisper's weights in published files: Hugging Face's layout and CTranslate2's -> ours."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from speech.errors import ModelError

_LAYER = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.out",
    "self_attn_layer_norm": "attention_norm",
    "encoder_attn.q_proj": "cross.query",
    "encoder_attn.k_proj": "cross.key",
    "encoder_attn.v_proj": "cross.value",
    "encoder_attn.out_proj": "cross.out",
    "encoder_attn_layer_norm": "cross_norm",
    "fc1": "feed_forward.up",
    "fc2": "feed_forward.down",
    "final_layer_norm": "feed_forward_norm",
}
_TOP = {
    "encoder.conv1": "encoder.subsampling.conv1",
    "encoder.conv2": "encoder.subsampling.conv2",
    "encoder.layer_norm": "encoder.norm",
    "decoder.layer_norm": "decoder.norm",
    "decoder.embed_tokens": "decoder.embed",
}
_FIXED = ("encoder.embed_positions.weight", "proj_out.weight")
"""Sinusoids, which are computed, and the output matrix, which is the embedding."""


def from_hugging_face(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our names of a file in Hugging Face's layout, whole model or encoder alone (keys without `model.encoder.`).

    Raises:
        ModelError: naming a key that no Whisper has.
    """
    found: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        name = key.removeprefix("model.")
        if not name.startswith(("encoder.", "decoder.", "proj_out.")):
            name = f"encoder.{name}"
        if name not in _FIXED:
            found[_renamed(name, key)] = tensor
    return found


def _renamed(name: str, key: str) -> str:
    if name == "decoder.embed_positions.weight":
        return "decoder.positions"
    module, kind = name.rsplit(".", 1)
    if module in _TOP:
        return f"{_TOP[module]}.{kind}"
    parts = module.split(".", 3)
    if len(parts) == 4 and parts[1] == "layers" and parts[3] in _LAYER:
        return f"{parts[0]}.layers.{parts[2]}.{_LAYER[parts[3]]}.{kind}"
    raise ModelError(f"key {key!r} is not part of a Whisper model")


def from_ctranslate2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our names of a CTranslate2 file's arrays; joined matrices are taken apart, eight bits become float32.

    Raises:
        ModelError: naming an array that no Whisper has.
    """
    found: dict[str, Tensor] = {}
    for key in tensors:
        tensor = tensors[key]
        if tensor.dim() == 0 or key.startswith("decoder/projection/") or key.endswith("/weight_scale"):
            continue
        if key in ("encoder/position_encodings/encodings", "decoder/alignment_heads", "decoder/alignment_layer"):
            continue
        if tensor.dtype in (torch.int8, torch.int16):
            tensor = _dequantised(tensor, tensors.get(f"{key}_scale"), key)
        found.update(_apart(key, tensor))
    return found


def _dequantised(tensor: Tensor, scale: Tensor | None, key: str) -> Tensor:
    if scale is None:
        raise ModelError(f"{key} is of whole numbers and has no scale")
    return tensor.float() / scale.float().reshape(-1, *[1] * (tensor.dim() - 1))


def _apart(key: str, tensor: Tensor) -> dict[str, Tensor]:
    """One array under our name, or those that were joined to it."""
    if key == "decoder/position_encodings/encodings":
        return {"decoder.positions": tensor}
    if key == "decoder/embeddings/weight":
        return {"decoder.embed.weight": tensor}
    side, *path = key.split("/")
    kind = {"gamma": "weight", "beta": "bias"}.get(path[-1], path[-1])
    if path[0] in ("conv1", "conv2"):
        return {f"{side}.subsampling.{path[0]}.{kind}": tensor}
    if path[0] == "layer_norm":
        return {f"{side}.norm.{kind}": tensor}
    if not path[0].startswith("layer_") or len(path) != 4:
        raise ModelError(f"array {key!r} is not part of a Whisper model")
    block, part = path[1], path[2]
    name = {"self_attention": "attention", "attention": "cross", "ffn": "feed_forward"}.get(block)
    if name is None:
        raise ModelError(f"array {key!r} is not part of a Whisper model")
    front = f"{side}.layers.{path[0].removeprefix('layer_')}.{name}"
    if part == "layer_norm":
        return {f"{front}_norm.{kind}": tensor}
    names = {
        ("attention", "linear_0"): ["query", "key", "value"],
        ("attention", "linear_1"): ["out"],
        ("cross", "linear_0"): ["query"],
        ("cross", "linear_1"): ["key", "value"],
        ("cross", "linear_2"): ["out"],
        ("feed_forward", "linear_0"): ["up"],
        ("feed_forward", "linear_1"): ["down"],
    }.get((name, part))
    if names is None:
        raise ModelError(f"array {key!r} is not part of a Whisper model")
    pieces = tensor.chunk(len(names))
    keyless = [n for n in names if not (n == "key" and kind == "bias")]  # whose bias is nothing but zeros
    return {f"{front}.{n}.{kind}": piece for n, piece in zip(names, pieces, strict=True) if n in keyless}
