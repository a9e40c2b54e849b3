"""Predicted opinions: what is missing is named, and with the extra `speech-scores` noise is worse than speech."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from speech.errors import ConfigError, ModelError
from speech.metrics.speech_quality.opinions import DistillMos, DnsMos

STAND_IN = """
import torch

class ConvTransformerSQAModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        print("my weights are here")

    def forward(self, samples):
        return samples.sum(dim=1, keepdim=True)
"""


@pytest.mark.parametrize(("model", "package"), [(DistillMos, "distillmos"), (DnsMos, "speechmos")])
def test_a_package_that_is_missing_is_named_with_the_extra_that_has_it(monkeypatch, model, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"needs the package {package}.*\[speech-scores\]"):
        model()


def installed(folder, name, **files):
    """A package with metadata."""
    (folder / f"{name}-7.dist-info").mkdir()
    (folder / f"{name}-7.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 7\n")
    (folder / name).mkdir()
    for file, text in files.items():
        (folder / name / f"{file}.py").write_text(text)


def test_what_the_package_prints_is_not_seen(monkeypatch, tmp_path, capsys):
    installed(tmp_path, "distillmos", __init__=STAND_IN)
    monkeypatch.delitem(sys.modules, "distillmos", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        model = DistillMos()
    finally:
        sys.modules.pop("distillmos", None)
    assert (model.name, model.opinion(np.ones(3, np.float32))) == ("distillmos:7", 3.0)
    assert capsys.readouterr().out == ""


def test_a_package_without_its_network_is_named(monkeypatch, tmp_path):
    installed(tmp_path, "speechmos", __init__="")
    monkeypatch.delitem(sys.modules, "speechmos", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=r"sig_bak_ovr\.onnx: the package speechmos lacks this network"):
        DnsMos()


@pytest.mark.parametrize(("model", "package"), [(DistillMos, "distillmos"), (DnsMos, "speechmos")])
def test_speech_is_liked_better_than_noise(speech, model, package):
    pytest.importorskip(package, reason="needs the extra `speech-scores`")
    judge = model()
    clean = speech[:48000]
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    assert 1.0 <= judge.opinion(noisy) < judge.opinion(clean) <= 5.0
    assert judge.opinion(clean) == judge.opinion(clean)
