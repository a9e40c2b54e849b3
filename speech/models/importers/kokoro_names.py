"""Names of the tensors in published Kokoro files, and ours; weight normalisation becomes plain weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from speech.errors import ModelError

PARTS = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")
"""State dicts in the file."""
_DROPPED = re.compile(r"bert\.(pooler\.|embeddings\.position_ids$)|.*\.norm[12]?\.(weight|bias)$")
"""Not used by Kokoro: ALBERT's pooler and table of positions. And the affine weights of instance normalisation, which
are ones and zeros where a file has them: see `_check_dropped`."""
_ALBERT_LAYER = r"bert\.encoder\.albert_layer_groups\.0\.albert_layers\.0\."
_LSTM = r"((?:weight|bias)_(?:ih|hh)_l0(?:_reverse)?)"
_PLAIN = r"(weight|bias)"
_RULES = [
    (rf"bert\.embeddings\.word_embeddings\.{_PLAIN}", r"albert.embedding.\1"),
    (rf"bert\.embeddings\.position_embeddings\.{_PLAIN}", r"albert.positions.\1"),
    (rf"bert\.embeddings\.LayerNorm\.{_PLAIN}", r"albert.embedding_norm.\1"),
    (rf"bert\.encoder\.embedding_hidden_mapping_in\.{_PLAIN}", r"albert.project.\1"),
    (rf"{_ALBERT_LAYER}attention\.(query|key|value)\.{_PLAIN}", r"albert.layer.attention.\1.\2"),
    (rf"{_ALBERT_LAYER}attention\.dense\.{_PLAIN}", r"albert.layer.attention.out.\1"),
    (rf"{_ALBERT_LAYER}attention\.LayerNorm\.{_PLAIN}", r"albert.layer.attention_norm.\1"),
    (rf"{_ALBERT_LAYER}ffn\.{_PLAIN}", r"albert.layer.feed_forward.up.\1"),
    (rf"{_ALBERT_LAYER}ffn_output\.{_PLAIN}", r"albert.layer.feed_forward.down.\1"),
    (rf"{_ALBERT_LAYER}full_layer_layer_norm\.{_PLAIN}", r"albert.layer.norm.\1"),
    (rf"bert_encoder\.{_PLAIN}", r"projection.\1"),
    (rf"predictor\.(lstm|shared)\.{_LSTM}", r"prosody.\1.lstm.\2"),
    (rf"predictor\.duration_proj\.linear_layer\.{_PLAIN}", r"prosody.duration.\1"),
    (rf"predictor\.F0\.(\d+)\.(.+)\.{_PLAIN}", r"prosody.pitch.blocks.\1.\2.\3"),
    (rf"predictor\.N\.(\d+)\.(.+)\.{_PLAIN}", r"prosody.energy.blocks.\1.\2.\3"),
    (rf"predictor\.F0_proj\.{_PLAIN}", r"prosody.pitch.out.\1"),
    (rf"predictor\.N_proj\.{_PLAIN}", r"prosody.energy.out.\1"),
    (rf"text_encoder\.embedding\.{_PLAIN}", r"text_encoder.embedding.\1"),
    (rf"text_encoder\.cnn\.(\d+)\.0\.{_PLAIN}", r"text_encoder.convs.\1.\2"),
    (r"text_encoder\.cnn\.(\d+)\.1\.gamma", r"text_encoder.norms.\1.weight"),
    (r"text_encoder\.cnn\.(\d+)\.1\.beta", r"text_encoder.norms.\1.bias"),
    (rf"text_encoder\.lstm\.{_LSTM}", r"text_encoder.lstm.lstm.\1"),
    (rf"decoder\.F0_conv\.{_PLAIN}", r"decoder.pitch.\1"),
    (rf"decoder\.N_conv\.{_PLAIN}", r"decoder.energy.\1"),
    (rf"decoder\.asr_res\.0\.{_PLAIN}", r"decoder.text.\1"),
    (rf"decoder\.encode\.(.+)\.{_PLAIN}", r"decoder.first.\1.\2"),
    (rf"decoder\.decode\.(\d+)\.(.+)\.{_PLAIN}", r"decoder.blocks.\1.\2.\3"),
    (rf"decoder\.generator\.m_source\.l_linear\.{_PLAIN}", r"decoder.generator.source.merge.\1"),
    (rf"decoder\.generator\.conv_post\.{_PLAIN}", r"decoder.generator.out.\1"),
    (rf"decoder\.generator\.ups\.(\d+)\.{_PLAIN}", r"decoder.generator.stages.\1.up.\2"),
    (rf"decoder\.generator\.noise_convs\.(\d+)\.{_PLAIN}", r"decoder.generator.stages.\1.source.\2"),
    (r"decoder\.generator\.noise_res\.(\d+)\.(.+)", r"decoder.generator.stages.\1.source_block.\2"),
]
_INNER = [
    (r"\.norm([12])\.fc\.", r".norm\1.linear."),
    (r"\.conv1x1\.", r".shortcut."),
    (r"\.pool\.", r".up."),
    (r"\.adain([12])\.(\d+)\.fc\.", r".norms\1.\2.linear."),
    (r"\.alpha([12])\.(\d+)$", r".alphas\1.\2"),
]
"""Inside residual blocks."""


def from_published(parts: Mapping[str, Mapping[str, Tensor]], block_kernels: int) -> dict[str, Tensor]:
    """Tensors under our names, in float32.

    Args:
        parts: state dicts by name.
        block_kernels: residual blocks after each upsampling, which are numbered through in published files.

    Raises:
        ModelError: naming state dicts or tensors that are missing or unknown.
    """
    if set(parts) != set(PARTS):
        raise ModelError(f"holds {', '.join(sorted(parts)) or 'nothing'}, expected {', '.join(PARTS)}")
    found: dict[str, Tensor] = {}
    unknown: list[str] = []
    for part, state in parts.items():
        plain = {f"{part}.{key.removeprefix('module.')}": tensor.float() for key, tensor in state.items()}
        for key, tensor in _without_weight_norm(plain).items():
            if _DROPPED.match(key):
                _check_dropped(key, tensor)
            elif key == "bert.embeddings.token_type_embeddings.weight":
                found[key] = tensor
            elif (name := new_name(key, block_kernels)) is None:
                unknown.append(key)
            else:
                found[name] = tensor
    if unknown:
        raise ModelError(f"{len(unknown)} tensors are unknown: {some(sorted(unknown))}")
    return _with_segments(found)


def new_name(key: str, block_kernels: int) -> str | None:
    """Our name of a published tensor without weight normalisation; None if it is unknown."""
    for pattern, replacement in _INNER:
        key = re.sub(pattern, replacement, key)
    if match := re.fullmatch(rf"predictor\.text_encoder\.lstms\.(\d+)\.(?:{_LSTM}|fc\.{_PLAIN})", key):
        place, is_norm = divmod(int(match[1]), 2)
        if is_norm != (match[3] is not None):
            return None
        return (
            f"prosody.encoder.norms.{place}.linear.{match[3]}"
            if is_norm
            else (f"prosody.encoder.lstms.{place}.lstm.{match[2]}")
        )
    if match := re.fullmatch(r"decoder\.generator\.resblocks\.(\d+)\.(.+)", key):
        stage, place = divmod(int(match[1]), block_kernels)
        return f"decoder.generator.stages.{stage}.blocks.{place}.{match[2]}"
    for pattern, replacement in _RULES:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, replacement, key)
    return None


def some(names: list[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _without_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights from their directions `weight_v` and lengths `weight_g` (Salimans and Kingma 2016)."""
    plain = {key: tensor for key, tensor in tensors.items() if not key.endswith((".weight_g", ".weight_v"))}
    halves = {key[:-2] for key in tensors.keys() - plain.keys()}
    for key in sorted(halves):
        missing = [half for half in (f"{key}_g", f"{key}_v") if half not in tensors]
        if missing:
            raise ModelError(f"{missing[0]} is missing")
        length, direction = tensors[f"{key}_g"], tensors[f"{key}_v"]
        if length.dim() != direction.dim() or length.numel() != len(direction):
            what = f"{key}_g has shape {tuple(length.shape)}, {key}_v {tuple(direction.shape)}"
            raise ModelError(f"{what}: they do not fit")
        plain[key] = torch._weight_norm(direction, length, 0)
    return plain


def _check_dropped(key: str, tensor: Tensor) -> None:
    """The affine part of an instance normalisation can be left out only if it does nothing."""
    expected = 1 if key.endswith(".weight") else 0
    if not key.startswith("bert.") and not bool((tensor == expected).all()):
        raise ModelError(f"{key} is not {expected} everywhere, and Kokoro's normalisation has no such parameter")


def _with_segments(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the embedding of the one segment to that of the places: ALBERT's inputs have the same segment throughout."""
    segments = found.pop("bert.embeddings.token_type_embeddings.weight", None)
    places = found.get("albert.positions.weight")
    if segments is None or segments.dim() != 2:
        raise ModelError("bert.embeddings.token_type_embeddings.weight is missing")
    if places is not None and places.shape[1:] == segments.shape[1:]:
        found["albert.positions.weight"] = places + segments[0]
    return found
