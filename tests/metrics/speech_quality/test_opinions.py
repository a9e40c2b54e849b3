"""Predicted opinions: what is missing is named, and with the extra `speech-scores` noise is worse than speech."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from speech.errors import ConfigError, ModelError
from speech.metrics.speech_quality.opinions import DistillMos, DnsMos
from tests.stand_in_packages import DISTILLMOS, install


@pytest.mark.parametrize(("model", "package"), [(DistillMos, "distillmos"), (DnsMos, "speechmos")])
def test_a_package_that_is_missing_is_named_with_the_extra_that_has_it(monkeypatch, model, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"needs the package {package}.*\[speech-scores\]"):
        model()


def test_what_the_package_prints_is_not_seen(monkeypatch, tmp_path, capsys):
    install(monkeypatch, tmp_path, "distillmos", DISTILLMOS)
    model = DistillMos()
    assert (model.name, model.opinion(np.full(3, -0.5, np.float32))) == ("distillmos:7", 2.5)
    assert capsys.readouterr().out == ""


def test_a_package_without_its_network_is_named(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, "speechmos")
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
