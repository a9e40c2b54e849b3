"""OWSM-CTC in ESPnet (extra `espnet`): model directories in the published format with random weights, and ESPnet's API.

The published weights are not available everywhere; directories of the same shapes and files can be made anywhere.
"""

import argparse
import logging
import random
import string
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
import yaml

LANGUAGES = "ara ces cym deu eng est fas fra ind ita jpn lav mon nld por ron rus slv spa swe tam tur vie zho".split()


@dataclass(frozen=True, kw_only=True)
class Size:
    """Size of a model; the defaults are owsm_ctc_v4_1B's."""

    bins: int = 128
    dim: int = 1024
    heads: int = 16
    hidden: int = 4096
    layers: int = 27
    inter_layers: tuple[int, ...] = (6, 12, 15, 21)
    cross_every: int = 3
    prompt_dim: int = 512
    prompt_heads: int = 8
    prompt_layers: int = 4
    vocabulary: int = 50002


SIZES = {
    "1B": Size(),
    "base": Size(bins=80, dim=384, heads=6, hidden=1536, layers=12, inter_layers=(3, 6, 9), prompt_dim=256),
    "tiny": Size(
        bins=80,
        dim=64,
        heads=4,
        hidden=128,
        layers=6,
        inter_layers=(2, 4, 5),
        prompt_dim=32,
        prompt_heads=4,
        prompt_layers=2,
        vocabulary=200,
    ),
}


def publish(folder: Path, size: Size, *, seed: int = 0, old_keys: bool = True) -> Path:
    """Write a model repository in the format of the hub, with random weights.

    Args:
        folder: new directory.
        size: size of the model.
        seed: seed of weights, statistics and pieces.
        old_keys: name tensors as the published files do, not as ESPnet 202611 does.
    """
    experiment, data, stats = folder / "exp" / "owsm_ctc", folder / "data", folder / "exp" / "stats"
    for part in (experiment, data, stats):
        part.mkdir(parents=True)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    (data / "bpe.model").write_bytes(_pieces(size.vocabulary, seed))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(data / "bpe.model"))
    pieces = [processor.id_to_piece(i) for i in range(3, processor.get_piece_size())]
    tokens = ["<blank>", "<unk>", *pieces, "<sos>", "<eos>", "<sop>"]
    mean, std, count = rng.normal(-12, 2, size.bins), rng.uniform(3, 8, size.bins), 1000
    np.savez(stats / "feats_stats.npz", count=np.array(count), sum=mean * count, sum_square=(std**2 + mean**2) * count)
    settings = _settings(size, tokens) | {
        "bpemodel": str(data / "bpe.model"),
        "normalize_conf": {"stats_file": str(stats / "feats_stats.npz")},
    }
    weights = dict(_task().build_model(argparse.Namespace(**settings)).state_dict())
    if old_keys:
        for kind in ("weight", "bias"):
            weights[f"encoder.embed.out.0.{kind}"] = weights.pop(f"encoder.embed.out.{kind}")
    torch.save(weights, experiment / "valid.total_count.ave_5best.pth")
    (experiment / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    named = {
        "files": {"s2t_model_file": "exp/owsm_ctc/valid.total_count.ave_5best.pth"},
        "yaml_files": {"s2t_train_config": "exp/owsm_ctc/config.yaml"},
    }
    (folder / "meta.yaml").write_text(yaml.safe_dump(named), "utf-8")
    return folder


def load(folder: Path, dtype: str = "float32") -> Any:
    """Load such a repository as ESPnet's `Speech2Text`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from espnet2.bin.s2t_inference import Speech2Text

        logging.disable(logging.WARNING)
        (weights,) = folder.rglob("*.pth")
        return Speech2Text(
            s2t_train_config=weights.parent / "config.yaml",
            s2t_model_file=weights,
            dtype=dtype,
            lang_sym="<nolang>",
        )


def _task() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from espnet2.tasks.s2t_ctc import S2TTask

        return S2TTask


def _pieces(vocabulary: int, seed: int) -> bytes:
    """A SentencePiece model with `vocabulary` - 5 pieces, special ones first, as in the published model."""
    special = ["<na>", "<nolang>", *(f"<{code}>" for code in LANGUAGES), "<asr>", "<st_deu>", "<st_eng>"]
    rng = random.Random(seed)
    pieces = {"\u2581": None} | dict.fromkeys(string.ascii_lowercase)
    wanted = vocabulary - 5 - len(special)  # the others are blank, unk, sos, eos and sop
    while len(pieces) < wanted:
        piece = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 6)))
        pieces[piece if rng.random() < 0.5 else "\u2581" + piece] = None
    normal, unknown, control, user_defined = 1, 2, 3, 4
    entries = [("<unk>", 0.0, unknown), ("<s>", 0.0, control), ("</s>", 0.0, control)]
    entries += [(piece, 0.0, user_defined) for piece in special]
    entries += [(piece, -5.0 - number / wanted, normal) for number, piece in enumerate(pieces)]
    written = b"".join(_field(1, _piece(*entry)) for entry in entries)
    unigram, identity = b"\x18\x01", _field(1, b"identity")
    return written + _field(2, unigram) + _field(3, identity)


def _piece(text: str, score: float, kind: int) -> bytes:
    """SentencePiece's protobuf message of one piece; its protobuf module conflicts with other packages."""
    return _field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def _settings(size: Size, tokens: list[str]) -> dict[str, Any]:
    return {
        "token_list": tokens,
        "token_type": "bpe",
        "input_size": None,
        "init": None,
        "specaug": None,
        "use_preprocessor": True,
        "preprocessor": "s2t_ctc",
        "preprocessor_conf": {"na_symbol": "<na>", "nolang_symbol": "<nolang>", "speech_length": 30, "fs": 16000},
        "frontend": "default",
        "frontend_conf": {"fs": 16000, "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": size.bins},
        "normalize": "global_mvn",
        "model": "espnet_ctc",
        "model_conf": {
            "interctc_weight": 0.8,
            "ctc_asr_only": [True] * (len(size.inter_layers) - 1) + [False, False],
        },
        "ctc_conf": {},
        "encoder": "e_branchformer_ctc",
        "encoder_conf": {
            "output_size": size.dim,
            "attention_heads": size.heads,
            "attention_layer_type": "selfattn",
            "pos_enc_layer_type": "abs_pos",
            "rel_pos_type": "latest",
            "cgmlp_linear_units": size.hidden,
            "cgmlp_conv_kernel": 31,
            "num_blocks": size.layers,
            "linear_units": size.hidden,
            "input_layer": "conv2d8",
            "use_ffn": True,
            "macaron_ffn": True,
            "merge_conv_kernel": 31,
            "interctc_layer_idx": list(size.inter_layers),
            "interctc_use_conditioning": True,
            "use_cross_attention": [int((i + 1) % size.cross_every == 0) for i in range(size.layers)],
        },
        "promptencoder": "transformer",
        "promptencoder_conf": {
            "output_size": size.prompt_dim,
            "attention_heads": size.prompt_heads,
            "linear_units": 4 * size.prompt_dim,
            "num_blocks": size.prompt_layers,
        },
    }
