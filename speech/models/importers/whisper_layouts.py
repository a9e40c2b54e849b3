"""Maps the names of Whisper weights in Hugging Face's and CTranslate2's layouts to ours."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from speech.errors import ModelError
from speech.nn.encoder.positions import SinusoidalPositions

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
_SINUSOIDS = 1e-3
"""Tolerance: ours are computed in float64, and differ by up to 0.0003 from sinusoids computed in float32."""


def from_hugging_face(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Map a file in Hugging Face's layout, whole model or encoder alone (keys without `model.encoder.`), to our names.

    Raises:
        ModelError: naming a key that is not part of a Whisper, or whose values we do not support: encoder positions
            other than sinusoids, or an output matrix other than the embedding.
    """
    found: dict[str, Tensor] = {}
    output: Tensor | None = None
    for key, tensor in tensors.items():
        name = key.removeprefix("model.")
        if not name.startswith(("encoder.", "decoder.", "proj_out.")):
            name = f"encoder.{name}"
        if name == "encoder.embed_positions.weight":
            _check_sinusoids(tensor, key)
        elif name == "proj_out.weight":
            output = tensor
        else:
            found[_renamed(name, key)] = tensor
    if output is not None:
        _check_tied(output, found.get("decoder.embed.weight"), "proj_out.weight")
    return found


def _check_sinusoids(tensor: Tensor, key: str) -> None:
    if tensor.is_floating_point() and tensor.dim() == 2 and tensor.shape[1] % 2 == 0:
        positions = SinusoidalPositions(tensor.shape[1], period=None, interleaved=False)
        expected = positions(torch.arange(len(tensor))).to(tensor.dtype).float()
        close = _SINUSOIDS + torch.finfo(tensor.dtype).eps
        if bool(((tensor.float() - expected).abs() <= close).all()):
            return
    raise ModelError(f"{key} does not hold sinusoids", fix="Encoders with learned positions are not computed.")


def _check_tied(output: Tensor, embedding: Tensor | None, key: str) -> None:
    if embedding is not output and (embedding is None or not torch.equal(output, embedding)):
        raise ModelError(f"{key} is not the embedding", fix="Only models whose output matrix is tied are computed.")


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


SCALE = "weight_scale"
"""Suffix of the divisor of an integer array: a single number, or one per row."""


def from_ctranslate2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Map a CTranslate2 file's arrays to our names; joined matrices are split, and integers are converted to float32.

    Scalars, which are settings, are left to the configuration reader.

    Raises:
        ModelError: as `from_hugging_face`.
    """
    found: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if tensor.dim() == 0 or key.endswith(SCALE):
            continue
        if key == "encoder/position_encodings/encodings":
            _check_sinusoids(tensor, key)
            continue
        if key == "decoder/projection/weight":
            _check_tied(tensor, tensors.get("decoder/embeddings/weight"), key)
            continue
        if tensor.dtype in (torch.int8, torch.int16):
            tensor = _dequantised(tensor, tensors.get(key.removesuffix("weight") + SCALE), key)
        found.update(_apart(key, tensor))
    return found


def _dequantised(tensor: Tensor, scale: Tensor | None, key: str) -> Tensor:
    if scale is None or scale.numel() not in (1, len(tensor)) or not bool((scale != 0).all()):
        raise ModelError(f"{key} is of whole numbers and has no scale that fits")
    return tensor.float() / scale.float().reshape(-1, *[1] * (tensor.dim() - 1))


def _apart(key: str, tensor: Tensor) -> dict[str, Tensor]:
    """Map one array to our names, splitting it if several were joined."""
    if key == "decoder/position_encodings/encodings":
        return {"decoder.positions": tensor}
    if key == "decoder/embeddings/weight":
        return {"decoder.embed.weight": tensor}
    side, *path = key.split("/")
    if not path:
        raise ModelError(f"array {key!r} is not part of a Whisper model")
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
    if len(tensor) % len(names):
        raise ModelError(f"{key} has {len(tensor)} rows, expected a multiple of {len(names)}")
    pieces = dict(zip(names, tensor.chunk(len(names)), strict=True))
    if kind == "bias" and "key" in pieces and bool(pieces.pop("key").any()):
        raise ModelError(f"{key} has a bias of the keys", fix="A Whisper has none.")
    return {f"{front}.{name}.{kind}": piece for name, piece in pieces.items()}
