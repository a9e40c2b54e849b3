"""A small Kokoro checkpoint with voices, and a stand-in for the program `espeak-ng` that says letters."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from speech.models import hub
from speech.models.kokoro_checkpoint import KokoroCheckpoint, save_kokoro_checkpoint
from speech.models.kokoro_voice import KokoroVoice
from speech.text.symbol_table import SymbolTable
from tests.tiny_kokoro import tiny_kokoro_config

LETTERS = "abcdehilmnorstuwy .,!?"
VOICES = ("af_one", "ef_two", "ff_three")


def kokoro_checkpoint() -> KokoroCheckpoint:
    config = tiny_kokoro_config()
    torch.manual_seed(0)
    model = replace(config, albert=replace(config.albert, positions=42)).build().eval()
    with torch.no_grad():
        model.prosody.duration.bias.fill_(-0.7)
        model.prosody.duration.weight.mul_(4)
    symbols = SymbolTable({symbol: number + 1 for number, symbol in enumerate(LETTERS)})
    generators = {name: torch.Generator().manual_seed(n) for n, name in enumerate(VOICES)}
    packs = {name: KokoroVoice(torch.randn(10, 8, generator=seed)) for name, seed in generators.items()}
    return KokoroCheckpoint(model, symbols, packs, {"name": "small", "licence": "CC0"})


def save_kokoro(folder: Path) -> Path:
    save_kokoro_checkpoint(folder, kokoro_checkpoint(), card="# small\n")
    return folder


def ship_kokoro(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Have the package ship a small Kokoro as its voice; all else that it ships stays. Returns the voice's folder."""
    assets = folder / "assets"
    assets.mkdir(parents=True)
    for path in Path(str(files("speech") / "assets")).iterdir():
        if path.name != "voice":
            (assets / path.name).symlink_to(path)
    patch.setattr(hub, "files", lambda package: folder)
    return save_kokoro(assets / "voice")


def letters_program(folder: Path) -> Path:
    """A program that gives letters as phonemes."""
    folder.mkdir(exist_ok=True)
    script = folder / "espeak-ng"
    script.write_text("#!/bin/sh\ntr 'A-Z' 'a-z'\n")
    script.chmod(0o755)
    return folder
