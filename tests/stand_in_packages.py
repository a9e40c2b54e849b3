"""Stand-ins for packages of the extra `speech-scores`: the same names and shapes, random weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

DISTILLMOS = """
import torch

class ConvTransformerSQAModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        print("my weights are here")

    def forward(self, samples):
        return 1 + 3 * samples.abs().amax(dim=1, keepdim=True)
"""


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, source: str = "") -> Path:
    """A package of version 7 that is found before any other; returns its folder."""
    about = folder / f"{name}-7.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 7\n")
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(source)
    monkeypatch.setitem(sys.modules, name, sys)  # so that what is imported meanwhile is forgotten in the end
    del sys.modules[name]
    monkeypatch.syspath_prepend(folder)
    return folder / name


def install_resemblyzer(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """The package of voice vectors, which must not be imported; returns its folder."""
    package = install(monkeypatch, folder, "resemblyzer", "raise AssertionError('was imported')")
    torch.manual_seed(0)
    parts = {"lstm": nn.LSTM(40, 256, 3), "linear": nn.Linear(256, 256)}
    state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    torch.save({"model_state": state | {"similarity_weight": torch.ones(1)}}, package / "pretrained.pt")
    return package
