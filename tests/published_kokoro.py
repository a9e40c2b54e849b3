"""Published Kokoro files in small, of random weights, written without its package: settings, tensors by name, voices.

Some widths are fixed in the published code: of symbols, styles, the decoder, the text that its blocks read again, and
the generator's input. `GOLDEN` has them as there, so that the package itself can be run with the same tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
SETTINGS: dict[str, Any] = {
    "istftnet": {
        "upsample_kernel_sizes": [4, 7],
        "upsample_rates": [2, 3],
        "gen_istft_hop_size": 2,
        "gen_istft_n_fft": 8,
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
        "resblock_kernel_sizes": [3, 5],
        "upsample_initial_channel": 8,
    },
    "dropout": 0.2,
    "hidden_dim": 12,
    "max_dur": 6,
    "n_layer": 2,
    "n_mels": 80,
    "n_token": 24,
    "style_dim": 4,
    "text_encoder_kernel_size": 3,
    "plbert": {
        "embedding_size": 6,
        "hidden_size": 8,
        "num_attention_heads": 2,
        "intermediate_size": 10,
        "max_position_embeddings": 20,
        "num_hidden_layers": 3,
        "dropout": 0.1,
    },
    "vocab": {symbol: number + 1 for number, symbol in enumerate("abcdefghijklmnop ,.ˈɑ")},
}
WIDTHS = (10, 3)
"""Channels of the decoder, and of the text that its blocks read again."""
GOLDEN: dict[str, Any] = {
    **SETTINGS,
    "hidden_dim": 512,
    "style_dim": 128,
    "istftnet": {
        **SETTINGS["istftnet"],
        "upsample_initial_channel": 512,
        "gen_istft_n_fft": 20,
        "gen_istft_hop_size": 5,
        "resblock_kernel_sizes": [3, 5],
    },
}
GOLDEN_WIDTHS = (1024, 64)
GOLDEN_FILE = Path(__file__).parent / "models" / "importers" / "kokoro_golden.safetensors"


def _conv(name: str, out: int, inner: int, size: int, *, bias: int | None = None, normed: bool = True) -> Shapes:
    weight: Shapes = {f"{name}.weight": (out, inner, size)}
    if normed:
        weight = {f"{name}.weight_g": (out, 1, 1), f"{name}.weight_v": (out, inner, size)}
    return weight if bias == 0 else {**weight, f"{name}.bias": (bias or out,)}


def _linear(name: str, out: int, inner: int) -> Shapes:
    return {f"{name}.weight": (out, inner), f"{name}.bias": (out,)}


def _norm(name: str, size: int, parts: tuple[str, str] = ("weight", "bias")) -> Shapes:
    return {f"{name}.{part}": (size,) for part in parts}


def _lstm(name: str, inner: int, out: int) -> Shapes:
    half, found = out // 2, dict[str, tuple[int, ...]]()
    for end in ("", "_reverse"):
        found |= {f"{name}.weight_ih_l0{end}": (4 * half, inner), f"{name}.weight_hh_l0{end}": (4 * half, half)}
        found |= {f"{name}.bias_{kind}_l0{end}": (4 * half,) for kind in ("ih", "hh")}
    return found


def _styled(name: str, inner: int, out: int, style: int, *, doubles: bool = False) -> Shapes:
    found = {**_conv(f"{name}.conv1", out, inner, 3), **_conv(f"{name}.conv2", out, out, 3)}
    found |= {**_linear(f"{name}.norm1.fc", 2 * inner, style), **_linear(f"{name}.norm2.fc", 2 * out, style)}
    if inner != out:
        found |= _conv(f"{name}.conv1x1", out, inner, 1, bias=0)
    return {**found, **_conv(f"{name}.pool", inner, 1, 3)} if doubles else found


def _snake(name: str, size: int, kernel: int, style: int, dilations: int) -> Shapes:
    found: Shapes = {}
    for place in range(dilations):
        for half in (1, 2):
            found |= _conv(f"{name}.convs{half}.{place}", size, size, kernel)
            found |= _linear(f"{name}.adain{half}.{place}.fc", 2 * size, style)
            found[f"{name}.alpha{half}.{place}"] = (1, size, 1)
    return found


def _bert(settings: Mapping[str, Any]) -> Shapes:
    own = settings["plbert"]
    inner, dim, hidden = own["embedding_size"], own["hidden_size"], own["intermediate_size"]
    found: Shapes = {
        "embeddings.word_embeddings.weight": (settings["n_token"], inner),
        "embeddings.position_embeddings.weight": (own["max_position_embeddings"], inner),
        "embeddings.token_type_embeddings.weight": (2, inner),
        **_norm("embeddings.LayerNorm", inner),
        **_linear("encoder.embedding_hidden_mapping_in", dim, inner),
        **_linear("pooler", dim, dim),
    }
    layer = "encoder.albert_layer_groups.0.albert_layers.0"
    for name in ("query", "key", "value", "dense"):
        found |= _linear(f"{layer}.attention.{name}", dim, dim)
    found |= {**_norm(f"{layer}.attention.LayerNorm", dim), **_norm(f"{layer}.full_layer_layer_norm", dim)}
    return {**found, **_linear(f"{layer}.ffn", hidden, dim), **_linear(f"{layer}.ffn_output", dim, hidden)}


def _predictor(settings: Mapping[str, Any]) -> Shapes:
    dim, style = settings["hidden_dim"], settings["style_dim"]
    found = {**_lstm("lstm", dim + style, dim), **_lstm("shared", dim + style, dim)}
    for place in range(settings["n_layer"]):
        found |= _lstm(f"text_encoder.lstms.{2 * place}", dim + style, dim)
        found |= _linear(f"text_encoder.lstms.{2 * place + 1}.fc", 2 * dim, style)
    for curve in ("F0", "N"):
        found |= _styled(f"{curve}.0", dim, dim, style)
        found |= _styled(f"{curve}.1", dim, dim // 2, style, doubles=True)
        found |= _styled(f"{curve}.2", dim // 2, dim // 2, style)
        found |= _conv(f"{curve}_proj", 1, dim // 2, 1, normed=False)
    return {**found, **_linear("duration_proj.linear_layer", settings["max_dur"], dim)}


def _text_encoder(settings: Mapping[str, Any]) -> Shapes:
    dim, found = settings["hidden_dim"], dict[str, tuple[int, ...]]()
    for place in range(settings["n_layer"]):
        found |= _conv(f"cnn.{place}.0", dim, dim, settings["text_encoder_kernel_size"])
        found |= _norm(f"cnn.{place}.1", dim, ("gamma", "beta"))
    return {"embedding.weight": (settings["n_token"], dim), **found, **_lstm("lstm", dim, dim)}


def _decoder(settings: Mapping[str, Any], widths: tuple[int, int]) -> Shapes:
    dim, style, own, (wide, again) = settings["hidden_dim"], settings["style_dim"], settings["istftnet"], widths
    channels, bins = own["upsample_initial_channel"], own["gen_istft_n_fft"] + 2
    found = {**_styled("encode", dim + 2, wide, style), **_conv("F0_conv", 1, 1, 3), **_conv("N_conv", 1, 1, 3)}
    found |= _conv("asr_res.0", again, dim, 1)
    for place in range(4):
        out = channels if place == 3 else wide
        found |= _styled(f"decode.{place}", wide + again + 2, out, style, doubles=place == 3)
    kernels, stages = own["resblock_kernel_sizes"], own["upsample_kernel_sizes"]
    for stage, size in enumerate(stages):
        inner, last = channels >> (stage + 1), stage + 1 == len(stages)
        found |= _conv(f"generator.ups.{stage}", inner * 2, inner, size, bias=inner)
        taps = 1 if last else 2 * own["upsample_rates"][1]
        found |= _conv(f"generator.noise_convs.{stage}", inner, bins, taps, normed=False)
        found |= _snake(f"generator.noise_res.{stage}", inner, 11 if last else 7, style, 3)
        for place, kernel in enumerate(kernels):
            found |= _snake(f"generator.resblocks.{stage * len(kernels) + place}", inner, kernel, style, 3)
    found |= _linear("generator.m_source.l_linear", 1, 9)
    return {**found, **_conv("generator.conv_post", bins, channels >> len(stages), 7)}


def published_shapes(settings: Mapping[str, Any], widths: tuple[int, int]) -> dict[str, Shapes]:
    """Shapes of all tensors by state dict and name."""
    return {
        "bert": _bert(settings),
        "bert_encoder": {
            "weight": (settings["hidden_dim"], settings["plbert"]["hidden_size"]),
            "bias": (settings["hidden_dim"],),
        },
        "predictor": _predictor(settings),
        "text_encoder": _text_encoder(settings),
        "decoder": _decoder(settings, widths),
    }


def published_tensors(settings: Mapping[str, Any], widths: tuple[int, int]) -> dict[str, dict[str, Tensor]]:
    """Random weights that keep numbers tame: about 150 Hz, a few frames per symbol."""
    generator = torch.Generator().manual_seed(3)
    parts: dict[str, dict[str, Tensor]] = {}
    for part, shapes in published_shapes(settings, widths).items():
        parts[part] = {name: _random(name, shape, generator) for name, shape in shapes.items()}
    predictor, decoder = parts["predictor"], parts["decoder"]
    predictor["duration_proj.linear_layer.weight"] *= 6
    predictor["F0_proj.weight"] *= 60
    predictor["F0_proj.bias"] += 150
    decoder["generator.conv_post.bias"] -= 0.5
    return parts


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    numbers = torch.randn(shape, generator=generator)
    if name.endswith("weight_g"):
        return 0.75 + 0.2 * numbers
    if name.endswith("weight_v"):
        return numbers
    if "alpha" in name or name.endswith("gamma") or (name.endswith(".weight") and "orm" in name and len(shape) == 1):
        return 1 + 0.2 * numbers
    return numbers / numbers[0].numel() ** 0.5 if len(shape) > 1 else 0.2 * numbers


def voice(settings: Mapping[str, Any], seed: int = 0, rows: int = 5) -> Tensor:
    """A voice as raw files hold it, `(rows, 2 * style_dim)`."""
    return torch.randn(rows, 2 * settings["style_dim"], generator=torch.Generator().manual_seed(seed))


def write_kokoro(folder: Path, *, prefix: str = "") -> Path:
    """Write a published repository with two voices to a new directory."""
    (folder / "voices").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(SETTINGS), "utf-8")
    parts = published_tensors(SETTINGS, WIDTHS)
    whole = {part: {prefix + name: tensor for name, tensor in state.items()} for part, state in parts.items()}
    torch.save(whole, folder / "kokoro-v1_0.pth")
    torch.save(voice(SETTINGS, 1)[:, None], folder / "voices" / "af_one.pt")
    (folder / "voices" / "bm_two.bin").write_bytes(voice(SETTINGS, 2).numpy().astype("<f4").tobytes())
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nwhere it comes from\n", "utf-8")
    return folder
