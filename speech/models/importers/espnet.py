"""Imports published OWSM-CTC models (Peng et al. 2024; ESPnet's files), numerically identical.

ESPnet is not needed. Architectures that our encoder does not support are rejected by name, never approximated.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from speech.audio.log_mel import LogMelConfig, mel_filters
from speech.errors import ModelError
from speech.models.checkpoint import build_empty
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcConfig
from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.prompt import PromptConfig
from speech.tensors import check_finite
from speech.text.tokenizers.sentencepiece import Tokenizer

_LAYER = {
    "attn.linear_q": "attention.query",
    "attn.linear_k": "attention.key",
    "attn.linear_v": "attention.value",
    "attn.linear_out": "attention.out",
    "cross_attn.linear_q": "cross.query",
    "cross_attn.linear_k": "cross.key",
    "cross_attn.linear_v": "cross.value",
    "cross_attn.linear_out": "cross.out",
    "cgmlp.channel_proj1.0": "gating.up",
    "cgmlp.csgu.norm": "gating.norm",
    "cgmlp.csgu.conv": "gating.conv.conv",
    "cgmlp.channel_proj2": "gating.down",
    "depthwise_conv_fusion": "merge_conv.conv",
    "merge_proj": "merge",
    "feed_forward.w_1": "feed_forward.up",
    "feed_forward.w_2": "feed_forward.down",
    "feed_forward_macaron.w_1": "macaron.up",
    "feed_forward_macaron.w_2": "macaron.down",
    "norm_ff": "feed_forward_norm",
    "norm_ff_macaron": "macaron_norm",
    "norm_mha": "attention_norm",
    "norm_mlp": "gating_norm",
    "norm_cross_attn": "cross_norm",
    "norm_final": "norm",
}
_PROMPT_LAYER = {
    "self_attn.linear_q": "attention.query",
    "self_attn.linear_k": "attention.key",
    "self_attn.linear_v": "attention.value",
    "self_attn.linear_out": "attention.out",
    "feed_forward.w_1": "feed_forward.up",
    "feed_forward.w_2": "feed_forward.down",
    "norm1": "attention_norm",
    "norm2": "feed_forward_norm",
}
_REST = {
    "encoder.embed.conv.0": "encoder.subsampling.conv.0.linear",
    "encoder.embed.conv.2": "encoder.subsampling.conv.1.linear",
    "encoder.embed.conv.4": "encoder.subsampling.conv.2.linear",
    "encoder.embed.out": "encoder.subsampling.out",
    "encoder.embed.out.0": "encoder.subsampling.out",  # before ESPnet 202611
    "encoder.after_norm": "encoder.norm",
    "encoder.conditioning_layer": "conditioning.linear",
    "prompt_encoder.after_norm": "prompt.norm",
    "prompt_proj": "prompt.out",
    "embed": "embed",
    "embed_proj": "embed_proj",
    "ctc.ctc_lo": "ctc.linear",
}
_BLOCK = re.compile(r"(encoder|prompt_encoder)\.encoders\.(\d+)\.(.+)")
_SPECIAL = re.compile(r"<(?P<task>st_)?(?P<code>[a-z]{3})>")

_REQUIRED: dict[str, Any] = {
    "attention_layer_type": "selfattn",
    "pos_enc_layer_type": "abs_pos",
    "use_linear_after_conv": False,
    "gate_activation": "identity",
    "input_layer": "conv2d8",
    "use_ffn": True,
    "macaron_ffn": True,
    "ffn_activation_type": "swish",
    "positionwise_layer_type": "linear",
}
_DEFAULTS: dict[str, Any] = {
    "attention_layer_type": "rel_selfattn",
    "pos_enc_layer_type": "rel_pos",
    "use_linear_after_conv": False,
    "gate_activation": "identity",
    "input_layer": "conv2d8",
    "use_ffn": False,
    "macaron_ffn": False,
    "ffn_activation_type": "swish",
    "positionwise_layer_type": "linear",
    "output_size": 256,
    "attention_heads": 4,
    "cgmlp_linear_units": 2048,
    "cgmlp_conv_kernel": 31,
    "num_blocks": 12,
    "linear_units": 2048,
    "merge_conv_kernel": 3,
    "interctc_layer_idx": [],
    "interctc_use_conditioning": False,
    "use_cross_attention": True,
    "dropout_rate": 0.1,
}
"""ESPnet's defaults for settings that a configuration omits."""


@dataclass(frozen=True, slots=True)
class PublishedFiles:
    """The files of a published model."""

    weights: Path
    config: Path
    sentencepiece: Path
    statistics: Path | None
    """Feature sums; only needed if the weights lack mean and deviation."""


def find_files(directory: Path) -> PublishedFiles:
    """Find the files in a copy of a published repository: those named by `meta.yaml`, or else the only match.

    Raises:
        ModelError: naming the file, if it is missing or ambiguous.
    """
    meta = directory / "meta.yaml"
    record = _read_yaml(meta) if meta.is_file() else {}
    weights = record.get("files", {}).get("s2t_model_file")
    config = record.get("yaml_files", {}).get("s2t_train_config")
    config_path = _one(directory, config, "config.yaml")
    settings = _read_yaml(config_path)
    statistics = (settings.get("normalize_conf") or {}).get("stats_file")
    return PublishedFiles(
        weights=_one(directory, weights, "*.pth"),
        config=config_path,
        sentencepiece=_one(directory, settings.get("bpemodel"), "*.model"),
        statistics=directory / statistics if statistics and (directory / statistics).is_file() else None,
    )


def _one(directory: Path, named: str | None, pattern: str) -> Path:
    if named and (directory / named).is_file():
        return directory / named
    found = sorted(directory.rglob(pattern))
    if len(found) != 1:
        what = f"holds {', '.join(str(f.relative_to(directory)) for f in found[:4])}" if found else "is missing"
        raise ModelError(
            f"{named or pattern} {what}; expected one file",
            where=str(directory),
            fix="Give the directory of one published OWSM-CTC model, as the hub has it.",
        )
    return found[0]


def _read_yaml(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # without libyaml, fifty thousand tokens take a minute
    try:
        record = yaml.load(path.read_text("utf-8"), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"is not YAML: {str(error).splitlines()[0]}", where=str(path)) from error
    if not isinstance(record, dict):
        raise ModelError("is not a table of settings", where=str(path))
    return record


def import_espnet(directory: Path) -> tuple[OwsmCtc, Tokenizer]:
    """Load a published OWSM-CTC model in float32 and evaluation mode.

    Args:
        directory: a copy of its repository.

    Raises:
        ModelError: naming file and key, if it is another kind of model, incomplete, or its shapes do not match its
            settings.
    """
    files = find_files(directory)
    settings = _read_yaml(files.config)
    where = str(files.config)
    config = read_config(settings, where)
    tokenizer = _tokenizer(settings.get("token_list"), files.sentencepiece, where)
    model = build_empty(config, tokenizer.vocabulary)
    tensors = _rename(_load(files.weights), files, config)
    wanted = model.state_dict()
    where = str(files.weights)
    missing, wrong = sorted(wanted.keys() - tensors.keys()), []
    for key in sorted(wanted.keys() & tensors.keys()):
        if wanted[key].shape != tensors[key].shape:
            wrong.append(f"{key} {tuple(tensors[key].shape)}, expected {tuple(wanted[key].shape)}")
    if missing:
        raise ModelError(f"{len(missing)} tensors are missing: {_some(missing)}", where=where)
    unknown = sorted(tensors.keys() - wanted.keys())
    if unknown:
        raise ModelError(f"{len(unknown)} tensors belong to no part of the model: {_some(unknown)}", where=where)
    if wrong:
        raise ModelError(f"{len(wrong)} tensors have another shape: {_some(wrong)}", where=where)
    model.load_state_dict(tensors, assign=True)
    return model.eval(), tokenizer


def read_config(settings: Mapping[str, Any], where: str) -> OwsmCtcConfig:
    """Convert the settings of ESPnet's `config.yaml` to our configuration.

    Raises:
        ModelError: naming the setting that is not supported.
    """

    def expect(name: str, found: Any, *allowed: Any) -> None:
        if found not in allowed:
            raise ModelError(
                f"{name} is {found!r}, expected {' or '.join(map(repr, allowed))}",
                where=where,
                fix="Only OWSM-CTC models can be imported, such as espnet/owsm_ctc_v4_1B.",
            )

    expect("model", settings.get("model"), "espnet_ctc")
    expect("encoder", settings.get("encoder"), "e_branchformer_ctc")
    expect("promptencoder", settings.get("promptencoder"), "transformer")
    expect("frontend", settings.get("frontend", "default"), "default")
    expect("normalize", settings.get("normalize", "global_mvn"), "global_mvn")
    mel: dict[str, Any] = {
        "fs": 16000,
        "n_fft": 512,
        "win_length": None,
        "hop_length": 128,
        "n_mels": 80,
        "window": "hann",
    }
    mel |= settings.get("frontend_conf") or {}
    expected = LogMelConfig.owsm()
    expect("frontend_conf.fs", mel["fs"], 16000, "16k", "16000")
    for name in ("n_fft", "win_length", "hop_length"):
        expect(f"frontend_conf.{name}", mel[name], getattr(expected, name))
    for name, value in (("window", "hann"), ("fmin", None), ("fmax", None), ("htk", False), ("log_base", None)):
        expect(f"frontend_conf.{name}", mel.get(name, value), value)
    encoder = _DEFAULTS | (settings.get("encoder_conf") or {})
    for name, value in _REQUIRED.items():
        expect(f"encoder_conf.{name}", encoder[name], value)
    expect("encoder_conf.merge_conv_kernel", encoder["merge_conv_kernel"], encoder["cgmlp_conv_kernel"])
    expect("encoder_conf.cgmlp_linear_units", encoder["cgmlp_linear_units"], encoder["linear_units"])
    layers = int(encoder["num_blocks"])
    inter = list(encoder["interctc_layer_idx"] or [])
    if inter:
        expect("encoder_conf.interctc_use_conditioning", encoder["interctc_use_conditioning"], True)
    only = list((settings.get("model_conf") or {}).get("ctc_asr_only", []))[: len(inter)]
    transcript = sum(map(bool, only))
    expect("model_conf.ctc_asr_only", [bool(x) for x in only], [True] * transcript + [False] * (len(only) - transcript))
    prompt = {"attention_heads": 4, "linear_units": 2048, "num_blocks": 6} | (settings.get("promptencoder_conf") or {})
    return OwsmCtcConfig(
        encoder=EBranchformerConfig(
            bins=int(mel["n_mels"]),
            dim=int(encoder["output_size"]),
            layers=layers,
            heads=int(encoder["attention_heads"]),
            hidden=int(encoder["linear_units"]),
            kernel=int(encoder["cgmlp_conv_kernel"]),
            cross_attention_every=_cross_every(encoder["use_cross_attention"], layers, where),
            dropout=float(encoder["dropout_rate"]),
        ),
        inter_layers=inter,
        inter_transcript=transcript,
        prompt_dim=int(prompt["output_size"]),
        prompt=PromptConfig(
            dim=int(prompt["output_size"]),
            layers=int(prompt["num_blocks"]),
            heads=int(prompt["attention_heads"]),
            hidden=int(prompt["linear_units"]),
        ),
    )


def _cross_every(flags: bool | list[Any], layers: int, where: str) -> int:
    if isinstance(flags, bool):
        return int(flags)
    found = [bool(flag) for flag in flags]
    for every in range(layers + 1):
        if found == [bool(every) and (i + 1) % every == 0 for i in range(layers)]:
            return every
    raise ModelError(f"encoder_conf.use_cross_attention {flags} is not every k-th of {layers} blocks", where=where)


def _tokenizer(token_list: list[str] | None, sentencepiece: Path, where: str) -> Tokenizer:
    """Build our tokenizer; raises ModelError unless it numbers the tokens as ESPnet does."""
    if not isinstance(token_list, list):
        raise ModelError("has no token_list", where=where, fix="Use the config.yaml that lies beside the weights.")
    special = [match for token in token_list if (match := _SPECIAL.fullmatch(str(token)))]
    tokenizer = Tokenizer.from_pieces(
        sentencepiece.read_bytes(),
        languages=[match["code"] for match in special if not match["task"] and match[0] not in _NO_LANGUAGE],
        st_targets=[match["code"] for match in special if match["task"]],
        sos_eos=True,
    )
    ours = tokenizer.vocabulary.tokens
    if len(ours) != len(token_list):
        raise ModelError(
            f"token_list has {len(token_list)} tokens, {sentencepiece.name} makes {len(ours)} of them", where=where
        )
    for number, (own, theirs) in enumerate(zip(ours, token_list, strict=True)):
        if own != theirs:
            raise ModelError(f"token {number} of token_list is {theirs!r}, expected {own!r}", where=where)
    return tokenizer


_NO_LANGUAGE = {"<unk>", "<asr>", "<sos>", "<eos>", "<sop>"}


def _load(path: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, UnpicklingError, EOFError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"is no file of weights: {reason}", where=str(path), fix="Download it again.") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ModelError("holds something else than tensors by name", where=str(path))
    check_finite(tensors, str(path), "Download it again.")
    return tensors


def _rename(tensors: dict[str, Tensor], files: PublishedFiles, config: OwsmCtcConfig) -> dict[str, Tensor]:
    where = str(files.weights)
    found: dict[str, Tensor] = {}
    unknown = []
    mean, std = tensors.pop("normalize.mean", None), tensors.pop("normalize.std", None)
    filters = tensors.pop("frontend.logmel.melmat", None)
    for key, tensor in tensors.items():
        new = _new_name(key)
        if new is None:
            unknown.append(key)
        else:
            found[new] = _ordered(new, tensor.float(), config.encoder.dim)
    if unknown:
        raise ModelError(f"{len(unknown)} tensors are unknown: {_some(sorted(unknown))}", where=where)
    if mean is None or std is None:
        mean, std = _statistics(files.statistics, where)
    found["feature_mean"], found["feature_std"] = mean.float(), std.float()
    if filters is not None:
        ours = torch.from_numpy(mel_filters(config.log_mel().n_fft, config.encoder.bins)).float()
        if ours.shape != filters.shape or not torch.allclose(ours, filters.float(), rtol=1e-4, atol=1e-7):
            raise ModelError("frontend.logmel.melmat is not the Slaney filter bank from 0 to 8 kHz", where=where)
    dim = config.encoder.dim
    if config.prompt_dim == dim:  # ESPnet has no projections in this case
        for name in ("embed_proj", "prompt.out"):
            found.setdefault(f"{name}.weight", torch.eye(dim))
            found.setdefault(f"{name}.bias", torch.zeros(dim))
    return found


def _ordered(name: str, tensor: Tensor, dim: int) -> Tensor:
    """Reorder weights to our layout, with channels innermost."""
    if name.endswith("linear.weight") and tensor.dim() == 4:  # (dim, channels, time, bins)
        return tensor.permute(0, 2, 3, 1).flatten(1).contiguous()
    if name == "encoder.subsampling.out.weight" and tensor.shape[1] % dim == 0:  # (dim, channels * bins)
        return tensor.unflatten(1, (dim, -1)).transpose(1, 2).flatten(1).contiguous()
    return tensor


def _new_name(key: str) -> str | None:
    name, _, kind = key.rpartition(".")
    block = _BLOCK.fullmatch(name)
    if block is None:
        return f"{_REST[name]}.{kind}" if name in _REST else None
    part, number, rest = block.groups()
    table, ours = (_LAYER, "encoder") if part == "encoder" else (_PROMPT_LAYER, "prompt")
    return f"{ours}.layers.{number}.{table[rest]}.{kind}" if rest in table else None


def _statistics(path: Path | None, where: str) -> tuple[Tensor, Tensor]:
    if path is None:
        raise ModelError("has no normalize.mean and normalize.std, and there is no feats_stats.npz", where=where)
    try:
        with np.load(path, allow_pickle=False) as sums:
            mean = sums["sum"] / sums["count"]
            variance = sums["sum_square"] / sums["count"] - mean * mean
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelError(f"is no file of statistics: {error}", where=str(path), fix="Download it again.") from error
    found = torch.from_numpy(mean), torch.from_numpy(np.sqrt(np.maximum(variance, 1e-20)))
    check_finite(dict(zip(("its mean", "its variance"), found, strict=True)), str(path), "Download it again.")
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
