"""Writes what the published package `kokoro` makes of random weights, for tests that do without it.

    pip install --no-deps --target FOLDER kokoro==0.9.4 loguru attr
    PYTHONPATH=.:FOLDER python -m tests.parity.kokoro_golden

It needs `transformers` besides. The package's own `__init__` is not run: it imports a front end for texts.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.published_kokoro import GOLDEN, GOLDEN_FILE, GOLDEN_WIDTHS, published_tensors, voice

IDS = [3, 1, 20, 7, 12, 5]
STRIDE = 7
"""Of the many frames before the generator, each seventh channel is kept."""
SEED = 5


def published_model(settings: dict[str, Any], parts: dict[str, dict[str, Tensor]]) -> Any:
    """The published model with given weights."""
    found = importlib.util.find_spec("kokoro")
    assert found is not None, "install kokoro: see above"
    assert found.origin is not None
    package = ModuleType("kokoro")
    package.__path__ = [str(Path(found.origin).parent)]
    sys.modules["kokoro"] = package
    from kokoro.model import KModel

    load = torch.load
    torch.load = lambda *_, **__: parts  # type: ignore[assignment]
    try:
        model = KModel(repo_id="none", config=settings, model="none").eval()
    finally:
        torch.load = load
    for part, state in parts.items():
        left = getattr(model, part).load_state_dict(state, strict=False)
        norms = [name for name in left.missing_keys if not name.endswith((".norm.weight", ".norm.bias"))]
        assert [*left.unexpected_keys, *norms] == []
    return model


@torch.no_grad()
def outputs(model: Any, style: Tensor, noise: Tensor | None) -> dict[str, Tensor]:
    """Outputs of its layers for `IDS`; `noise (1, samples, 9)` replaces what it draws."""
    found: dict[str, Tensor] = {}
    watched = {
        "albert": model.bert,
        "prosody": model.predictor.text_encoder,
        "text": model.text_encoder,
        "decoded": model.decoder.decode[3],
        "excitation": model.decoder.generator.m_source,
    }

    def keep(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            found[name] = (output[0] if isinstance(output, tuple) else output)[0].clone()

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in watched.items()]
    hooks.append(
        model.decoder.register_forward_pre_hook(lambda _, given: found.update(pitch=given[1], energy=given[2]))
    )
    transform = model.decoder.generator.stft.transform

    def kept_spectra(samples: Tensor) -> tuple[Tensor, Tensor]:
        magnitudes, phases = transform(samples)
        found["spectra"] = torch.cat([magnitudes, phases], dim=1)[0]
        return magnitudes, phases

    model.decoder.generator.stft.transform = kept_spectra
    draw = torch.randn_like
    torch.randn_like = lambda x: torch.zeros_like(x) if noise is None else noise[:, : x.shape[1], : x.shape[2]]
    try:
        ids = torch.tensor([[0, *IDS, 0]])
        found["samples"], found["durations"] = model.forward_with_tokens(ids, style[None], 1.0)
    finally:
        torch.randn_like = draw
        model.decoder.generator.stft.transform = transform
        for hook in hooks:
            hook.remove()
    found["decoded"] = found["decoded"][::STRIDE]
    found["excitation"] = found["excitation"][:, 0]
    return {name: tensor.contiguous() for name, tensor in found.items()}


def main() -> None:
    """Write `GOLDEN_FILE`."""
    model = published_model(GOLDEN, published_tensors(GOLDEN, GOLDEN_WIDTHS))
    style = voice(GOLDEN)[0]
    quiet = outputs(model, style, None)
    count = len(quiet["samples"])
    noise = torch.randn(count, 9, generator=torch.Generator().manual_seed(SEED))[None]
    noisy = outputs(model, style, noise)
    whole = {**quiet, **{f"noisy.{name}": noisy[name] for name in ("excitation", "spectra", "samples")}}
    save_file(whole, GOLDEN_FILE, {"format": "pt"})
    sys.stdout.write(f"{GOLDEN_FILE}: {count} samples, durations {quiet['durations'].tolist()}\n")


if __name__ == "__main__":
    main()
