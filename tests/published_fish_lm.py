"""The published language models of Fish-Speech with random weights, in a small shape: their files, their formulas for
whole sequences, and their rules of sampling, written without caches, for one request."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import torch.nn.functional as F
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from torch import Tensor

from speech.text.fish_text import FishVersion
from tests.published_fish import codec_tensors

MERGES = [b"us", b"er", b"\n ", b"user", b"he", b"ll", b"hell", b" w", b"o ", b"or", b"ld", b"orld", b", "]
RANKS = {token: n for n, token in enumerate([*(bytes([byte]) for byte in range(256)), *MERGES])}
CARD = "---\nlicense: cc-by-nc-sa-4.0\n---\n# Where it comes from\n"
CODEBOOKS = 3
SETTINGS: dict[str, Any] = {
    "model_type": "dual_ar",
    "vocab_size": len(RANKS) + 12 + 1024,
    "n_layer": 2,
    "n_head": 4,
    "dim": 16,
    "intermediate_size": None,
    "n_local_heads": 2,
    "head_dim": 99,
    "rope_base": 1000000,
    "norm_eps": 1e-6,
    "max_seq_len": 400,
    "dropout": 0.1,
    "tie_word_embeddings": False,
    "attention_qkv_bias": False,
    "codebook_size": 1024,
    "num_codebooks": CODEBOOKS,
    "n_fast_layer": 2,
    "fast_dim": 8,
    "fast_n_head": 2,
    "fast_n_local_heads": 1,
    "fast_intermediate_size": 12,
    "fast_attention_qkv_bias": True,
    "strange": "is ignored",
}
"""Of 1.5."""
SETTINGS_14 = SETTINGS | {"vocab_size": len(RANKS) + 8, "fast_dim": None, "fast_n_head": None}


def settings_of(version: FishVersion) -> dict[str, Any]:
    return SETTINGS if version == FishVersion.one_five else SETTINGS_14


def tokenizer_bytes(version: FishVersion) -> bytes:
    """Content of the tokenizer's file."""
    if version == FishVersion.one_five:
        return b"".join(b"%s %d\n" % (base64.b64encode(token), n) for token, n in RANKS.items())
    letters = pre_tokenizers.ByteLevel.alphabet()
    bpe = models.BPE(vocab={letter: n for n, letter in enumerate(sorted(letters))}, merges=[])
    tokenizer = tokenizers.Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = ["im_start", "im_end", "semantic", "mel", "phoneme_start", "phoneme_end"]
    tokenizer.add_special_tokens([AddedToken(f"<|{mark}|>", special=True) for mark in marks])
    return tokenizer.to_str().encode()


def lm_tensors(settings: dict[str, Any], seed: int = 0) -> dict[str, Tensor]:
    """Random tensors under published names, whose scores differ enough to be chosen among."""
    dim, heads, kv_heads = settings["dim"], settings["n_head"], settings["n_local_heads"]
    fast = settings["fast_dim"] or dim
    fast_heads, fast_kv = settings["fast_n_head"] or heads, settings["fast_n_local_heads"] or kv_heads
    hidden = settings["intermediate_size"] or -(-int(8 * dim / 3) // 256) * 256
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.weight": (settings["vocab_size"], dim),
        "codebook_embeddings.weight": (settings["codebook_size"] * settings["num_codebooks"], dim),
        "norm.weight": (dim,),
        "output.weight": (settings["vocab_size"], dim),
        "fast_embeddings.weight": (settings["codebook_size"], fast),
        "fast_norm.weight": (fast,),
        "fast_output.weight": (settings["codebook_size"], fast),
    }
    if fast != dim:
        shapes |= {"fast_project_in.weight": (fast, dim), "fast_project_in.bias": (fast,)}
    stacks = [
        ("layers", settings["n_layer"], dim, heads, kv_heads, hidden, settings["attention_qkv_bias"]),
        ("fast_layers", settings["n_fast_layer"], fast, fast_heads, fast_kv, settings["fast_intermediate_size"],
         settings["fast_attention_qkv_bias"]),
    ]  # fmt: skip
    for stack, layers, width, queries, keys, inner, bias in stacks:
        rows = (queries + 2 * keys) * (width // queries)
        for layer in range(layers):
            name = f"{stack}.{layer}"
            shapes |= {
                f"{name}.attention.wqkv.weight": (rows, width),
                f"{name}.attention.wo.weight": (width, width),
                f"{name}.feed_forward.w1.weight": (inner, width),
                f"{name}.feed_forward.w3.weight": (inner, width),
                f"{name}.feed_forward.w2.weight": (width, inner),
                f"{name}.attention_norm.weight": (width,),
                f"{name}.ffn_norm.weight": (width,),
            }
            if bias:
                shapes[f"{name}.attention.wqkv.bias"] = (rows,)
    generator, found = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        if "norm" in name:
            found[name] = 1 + 0.1 * noise
        else:
            found[name] = noise if "embeddings" in name or len(shape) == 1 else 1.5 * noise / shape[-1] ** 0.5
    return found


def write_fish(folder: Path, version: FishVersion = FishVersion.one_five) -> Path:
    """A published folder."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(settings_of(version)))
    name = "tokenizer.tiktoken" if version == FishVersion.one_five else "tokenizer.json"
    (folder / name).write_bytes(tokenizer_bytes(version))
    torch.save(lm_tensors(settings_of(version)), folder / "model.pth")
    torch.save(codec_tensors(), folder / "firefly-gan-vq-fsq-8x1024-21hz-generator.pth")
    (folder / "README.md").write_text(CARD)
    return folder


class PublishedLm:
    """The published formulas over published tensors.

    Args:
        tensors: by published name.
        settings: as in `config.json`.
        layout: first token of frames, their number, and the token of the end.
    """

    def __init__(self, tensors: dict[str, Tensor], settings: dict[str, Any], layout: tuple[int, int, int]) -> None:
        self.tensors, self.settings = tensors, settings
        self.first, self.frames, self.end = layout

    def slow(self, tokens: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden vectors `(n, dim)` and scores `(n, vocabulary)` of `tokens (n,)`, `codes (codebooks, n)`."""
        x = self.tensors["embeddings.weight"][tokens].clone()
        framed = (tokens >= self.first) & (tokens < self.first + self.frames)
        for number, own in enumerate(codes):
            row = self.tensors["codebook_embeddings.weight"][own + number * self.settings["codebook_size"]]
            x += framed[:, None] * row
        heads, kv_heads = self.settings["n_head"], self.settings["n_local_heads"]
        x = self.layers(x, "layers", self.settings["n_layer"], heads, kv_heads)
        return x, self.norm(x, "norm.weight") @ self.tensors["output.weight"].T

    def fast(self, hidden: Tensor, codes: list[int]) -> Tensor:
        """Scores `(size,)` of the code behind `codes` from `hidden (dim,)`."""
        if "fast_project_in.weight" in self.tensors:
            hidden = self.tensors["fast_project_in.weight"] @ hidden + self.tensors["fast_project_in.bias"]
        x = torch.cat([hidden[None], self.tensors["fast_embeddings.weight"][torch.tensor(codes, dtype=torch.long)]])
        heads = self.settings["fast_n_head"] or self.settings["n_head"]
        kv_heads = self.settings["fast_n_local_heads"] or self.settings["n_local_heads"]
        x = self.layers(x, "fast_layers", self.settings["n_fast_layer"], heads, kv_heads)
        return self.norm(x, "fast_norm.weight")[-1] @ self.tensors["fast_output.weight"].T

    def norm(self, x: Tensor, name: str) -> Tensor:
        scale = (x * x).mean(dim=-1, keepdim=True) + self.settings["norm_eps"]
        return x / scale.sqrt() * self.tensors[name]

    def layers(self, x: Tensor, stack: str, count: int, heads: int, kv_heads: int) -> Tensor:
        size, places = x.shape[1] // heads, len(x)
        hidden = torch.ones(places, places).triu(1).bool()
        angles = torch.arange(places)[:, None] / self.settings["rope_base"] ** (torch.arange(0, size, 2) / size)
        cos, sin = angles.cos().bfloat16().float(), angles.sin().bfloat16().float()  # (places, size / 2)

        def turned(y: Tensor) -> Tensor:
            even, odd = y[..., 0::2], y[..., 1::2]
            return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)

        for layer in range(count):
            name = f"{stack}.{layer}"
            weight, bias = (
                self.tensors[f"{name}.attention.wqkv.weight"],
                self.tensors.get(f"{name}.attention.wqkv.bias"),
            )
            y = F.linear(self.norm(x, f"{name}.attention_norm.weight"), weight, bias)
            queries, keys, values = y.split([heads * size, kv_heads * size, kv_heads * size], dim=1)
            outputs = []
            for head in range(heads):
                own = head // (heads // kv_heads)
                query = turned(queries[:, head * size : (head + 1) * size])
                key = turned(keys[:, own * size : (own + 1) * size])
                weights = (query @ key.T / size**0.5).masked_fill(hidden, -torch.inf).softmax(dim=1)
                outputs.append(weights @ values[:, own * size : (own + 1) * size])
            x = x + torch.cat(outputs, dim=1) @ self.tensors[f"{name}.attention.wo.weight"].T
            y = self.norm(x, f"{name}.ffn_norm.weight")
            gate = F.silu(y @ self.tensors[f"{name}.feed_forward.w1.weight"].T)
            up = y @ self.tensors[f"{name}.feed_forward.w3.weight"].T
            x = x + (gate * up) @ self.tensors[f"{name}.feed_forward.w2.weight"].T
        return x

    def generate(
        self, tokens: Tensor, codes: Tensor, frames: int, rules: tuple[float, float, float], seed: int
    ) -> tuple[list[int], Tensor]:
        """Tokens over time, and codes `(codebooks, n)`, of at most `frames` frames; the end is the last of them.

        Args:
            tokens: of the prompt `(n,)`.
            codes: of the prompt.
            frames: to generate at most.
            rules: temperature, top p and penalty.
            seed: of the random numbers.
        """
        random, count = np.random.default_rng(seed), self.settings["num_codebooks"]
        history = [[0] * 16 for _ in range(count + 1)]
        found = list[list[int]]()
        for step in range(frames):
            hidden, scores = (x[-1] for x in self.slow(tokens, codes))
            windows = history if step else [[] for _ in history]
            penalised = windows[0] if self.frames > 1 else []
            token = self.drawn(scores, penalised, rules, random)
            framed = self.first <= token < self.first + self.frames
            own = [token - self.first if framed else 0] if self.frames > 1 else []
            while len(own) < count:
                own.append(self.drawn(self.fast(hidden, own), windows[len(own) + 1], rules, random))
            if self.frames == 1 and not framed:
                own = [0] * count
            if step:
                history = [[*row[1:], new] for row, new in zip(history, [token, *own], strict=True)]
            found.append([token, *own])
            tokens, codes = (
                torch.cat([tokens, torch.tensor([token])]),
                torch.cat([codes, torch.tensor(own)[:, None]], 1),
            )
            if token == self.end:
                break
        whole = torch.tensor(found).T
        return whole[0].tolist(), whole[1:]

    @staticmethod
    def drawn(scores: Tensor, window: list[int], rules: tuple[float, float, float], random: np.random.Generator) -> int:
        """A token by the published rules: penalty, top p, temperature, a draw."""
        temperature, share, penalty = rules
        scores = scores.clone()
        for token in set(window):
            scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty
        order = scores.argsort(descending=True, stable=True)
        before, kept = 0.0, []
        for token, chance in zip(order.tolist(), scores.softmax(dim=0)[order].tolist(), strict=True):
            before += chance
            if kept and before > share:
                break
            kept.append(token)
        chances = torch.zeros_like(scores)
        chances[kept] = (scores[kept] / temperature).softmax(dim=0)
        noise = torch.from_numpy(random.standard_exponential(len(scores), np.float32))
        return int((chances / noise).argmax())
