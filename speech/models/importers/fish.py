"""Imports published Fish-Speech 1.4 and 1.5, language model and codec, numerically identical.

Their package is not needed. Files are `config.json`, `model.pth`, `tokenizer.tiktoken` (1.5) or `tokenizer.json` (1.4),
and `firefly-gan-vq-fsq-8x1024-21hz-generator.pth`. Nothing in the files is executed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from speech.errors import ConfigError, ModelError
from speech.files import printable, read_text
from speech.models.dual_ar import DualArConfig
from speech.models.fish import FishSpeech
from speech.models.fish_checkpoint import FishCheckpoint
from speech.models.fish_codec import FishCodecConfig
from speech.models.importers.fish_codec import import_fish_codec
from speech.models.importers.fish_files import AGAIN, check_names, read_state
from speech.models.storage import without_memory
from speech.nn.speech_lm.codebook_heads import FastConfig
from speech.nn.speech_lm.rotary import RopeDtype
from speech.nn.speech_lm.transformer import TransformerConfig
from speech.tensors import check_finite
from speech.text.fish_text import FishVersion
from speech.text.tokenizers.fish import FILES, FishTokenizer, fish_tokenizer

CODEC_FILE = "firefly-gan-vq-fsq-8x1024-21hz-generator.pth"
CODEC = FishCodecConfig()
"""Shape of the published codec."""
_CONFIG, _WEIGHTS = "config.json", "model.pth"
_FOLDER = "Give the folder of a published Fish-Speech 1.4 or 1.5, as the hub has it."
_LATER = {
    "attention_o_bias": "S1",
    "attention_qk_norm": "S1",
    "scale_codebook_embeddings": "S1",
    "norm_fastlayer_input": "S2",
}
"""Settings that only later generations turn on."""
_FRAMES = 1024
"""Maximum frames of a turn, as the published server has it."""
_LAYERS = {
    "attention.wqkv": "attention.qkv",
    "attention.wo": "attention.out",
    "feed_forward.w2": "feed_forward.down",
    "attention_norm": "attention_norm",
    "ffn_norm": "feed_forward_norm",
}
_TOP = {
    "embeddings": "embed.tokens",
    "codebook_embeddings": "embed.codes",
    "norm": "slow.norm",
    "output": "output",
    "fast_project_in": "fast.project",
    "fast_embeddings": "fast.embed",
    "fast_norm": "fast.blocks.norm",
    "fast_output": "fast.outputs.0",
}
_STACKS = {"slow.layers": "layers", "fast.blocks.layers": "fast_layers"}
_GATE_UP = ".feed_forward.gate_up.weight"
_OWN_LAYER = re.compile(r"(slow\.layers|fast\.blocks\.layers)\.(\d+)\.(.+)\.(weight|bias)")


def is_fish(directory: Path) -> bool:
    """Whether a directory appears to hold a published Fish-Speech of any generation.

    Raises:
        ModelError: if its `config.json` is not JSON.
    """
    path = directory / _CONFIG
    if not path.is_file():
        return False
    settings = _read_json(path)
    kind = str(settings.get("model_type"))
    return kind in ("dual_ar", "naive") or kind.startswith("fish") or "audio_decoder_config" in settings


def import_fish(directory: Path, codec: FishCodecConfig | None = None) -> FishCheckpoint:
    """Load a published model with its codec, in float32 and evaluation mode; it has no metadata.

    Args:
        directory: a copy of its repository.
        codec: shape of its codec; None: the published one.

    Raises:
        FileError: if a file cannot be read.
        ModelError: naming file and key, if it is of another generation, incomplete, or its shapes do not match its
            settings.
    """
    settings, where = _read_json(directory / _CONFIG), printable(directory / _CONFIG)
    _check_generation(settings, where)
    version = next((version for version, name in FILES.items() if (directory / name).is_file()), None)
    missing = [name for name in (_WEIGHTS, CODEC_FILE) if not (directory / name).is_file()]
    if version is None:
        missing.append(" or ".join(FILES.values()))
    if missing or version is None:
        raise ModelError(f"has no {', no '.join(missing)}", where=printable(directory), fix=_FOLDER)
    config = read_settings(settings, version, where)
    file = directory / FILES[version]
    tokenizer = fish_tokenizer(version, file.read_bytes(), settings["vocab_size"], printable(file))
    model = build_fish(read_state(directory / _WEIGHTS), config, tokenizer, printable(directory / _WEIGHTS))
    return FishCheckpoint(model, tokenizer, import_fish_codec(directory / CODEC_FILE, codec or CODEC), {})


def build_fish(state: Mapping[str, Tensor], config: DualArConfig, tokenizer: FishTokenizer, where: str) -> FishSpeech:
    """Build the language model from published tensors; errors name `where`.

    Raises:
        ModelError: as `import_fish`.
    """
    given = {key.removeprefix("model."): tensor.float() for key, tensor in state.items()}
    theirs = _with_joined_queries(given)
    try:
        with without_memory():
            model = FishSpeech(config, tokenizer.layout)
    except ConfigError as error:
        raise ModelError(error.what, where=where, fix=error.fix) from error
    names = {name: published_names(name) for name in model.state_dict()}
    shapes = {
        own: (tensor.shape[0] // len(names[name]), *tensor.shape[1:])
        for name, tensor in model.state_dict().items()
        for own in names[name]
    }
    check_names(shapes, theirs, where)
    check_finite(theirs, where, AGAIN)
    found = {name: torch.cat([theirs[own] for own in own_names]) for name, own_names in names.items()}
    model.load_state_dict(found, assign=True)
    return model.eval()


def published_names(name: str) -> list[str]:
    """Published tensors that make the one of ours, one behind the other."""
    match = _OWN_LAYER.fullmatch(name)
    if match is None:
        return [
            f"{theirs}.{end}" for theirs, ours in _TOP.items() for end in ("weight", "bias") if name == f"{ours}.{end}"
        ]
    stem = f"{_STACKS[match[1]]}.{match[2]}"
    if name.endswith(_GATE_UP):
        return [f"{stem}.feed_forward.w1.weight", f"{stem}.feed_forward.w3.weight"]
    return [f"{stem}.{theirs}.{match[4]}" for theirs, ours in _LAYERS.items() if ours == match[3]]


def read_settings(settings: Mapping[str, Any], version: FishVersion, where: str) -> DualArConfig:
    """Our configuration from the settings of `config.json`; what it does not say is as published.

    Raises:
        ModelError: naming the setting that is missing or does not fit.
    """

    def whole(name: str, default: int | None = None) -> int:
        value = settings.get(name)
        value = default if value is None else value
        if type(value) is not int:
            raise ModelError(f"{name} is {value!r}, expected a whole number", where=where)
        return value

    def number(name: str, default: float) -> float:
        value = settings.get(name, default)
        if type(value) not in (int, float):
            raise ModelError(f"{name} is {value!r}, expected a number", where=where)
        return float(value)

    heads, dim = whole("n_head"), whole("dim")
    kv_heads = heads if whole("n_local_heads", -1) == -1 else whole("n_local_heads")
    hidden = whole("intermediate_size", -(-int(2 * 4 * dim / 3) // 256) * 256)
    bias = bool(settings.get("attention_qkv_bias", False))
    fast_bias = settings.get("fast_attention_qkv_bias")
    eps, rope_base = number("norm_eps", 1e-5), number("rope_base", 10000)
    whole("vocab_size")
    positions = whole("max_seq_len")
    try:
        return DualArConfig(
            codebooks=whole("num_codebooks"),
            codebook_size=whole("codebook_size"),
            frame_s=CODEC.hop * math.prod(CODEC.factors) / CODEC.sample_rate,
            positions=positions,
            max_frames=min(_FRAMES, positions // 2),
            first_in_tokens=version == FishVersion.one_five,
            tied=bool(settings.get("tie_word_embeddings", True)),
            slow=TransformerConfig(
                dim=dim,
                layers=whole("n_layer"),
                heads=heads,
                kv_heads=kv_heads,
                hidden=hidden,
                qkv_bias=bias,
                rope_dtype=RopeDtype.bfloat16,
                eps=eps,
                rope_base=rope_base,
            ),
            fast=FastConfig(
                dim=whole("fast_dim", dim),
                layers=whole("n_fast_layer", 4),
                heads=whole("fast_n_head", heads),
                kv_heads=whole("fast_n_local_heads", kv_heads),
                hidden=whole("fast_intermediate_size", hidden),
                qkv_bias=bias if fast_bias is None else bool(fast_bias),
                rope_dtype=RopeDtype.bfloat16,
                shared=True,
                eps=eps,
                rope_base=rope_base,
            ),
        )
    except ConfigError as error:
        raise ModelError(error.what, where=where, fix=error.fix) from error


def _check_generation(settings: Mapping[str, Any], where: str) -> None:
    """Refuse other generations and kinds by name."""
    kind = settings.get("model_type")
    later = next((name for key, name in _LATER.items() if settings.get(key)), None)
    if kind not in ("dual_ar", "naive"):
        later = "S2"
    if later is not None:
        raise ModelError(f"is a Fish-Speech {later}, which cannot be imported", where=where, fix=_FOLDER)
    if kind != "dual_ar":
        raise ModelError(f"model_type is {kind!r}, expected 'dual_ar'", where=where, fix=_FOLDER)
    if settings.get("share_codebook_embeddings") is False or settings.get("is_reward_model"):
        what = "share_codebook_embeddings is false, or is_reward_model true: no published model that speaks has that"
        raise ModelError(what, where=where, fix=_FOLDER)


def _with_joined_queries(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Old files have matrices of queries, keys and values apart."""
    joined = dict(state)
    for key in [key for key in state if key.endswith(".attention.wq.weight")]:
        parts = [key.replace(".wq.", f".{name}.") for name in ("wq", "wk", "wv")]
        if all(part in joined for part in parts):
            joined[key.replace(".wq.", ".wqkv.")] = torch.cat([joined.pop(part) for part in parts])
    return joined


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError("is missing", where=printable(path), fix=_FOLDER)
    try:
        record = json.loads(read_text(path))
    except ValueError as error:
        raise ModelError(f"is not JSON: {error}", where=printable(path)) from error
    if not isinstance(record, dict):
        raise ModelError("is no table of settings", where=printable(path))
    return record
