"""Graphs on disk: compared with the model, whole or not there at all."""

import sys

import pytest

from speech.errors import ConfigError, ModelError
from speech.models.export import onnx_files
from speech.models.export.ctc import export_onnx

pytest.importorskip("onnx")


def test_a_wrong_graph_is_refused_and_nothing_stays(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match="differs from the model by"):
        export_onnx(tmp_path / "exported", model, name="small")
    assert not list(tmp_path.iterdir())


def test_large_weights_lie_beside_the_graph(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "_LARGE", 1000)
    export_onnx(tmp_path / "exported", model, name="small")
    assert (tmp_path / "exported" / "model.onnx.data").stat().st_size > (
        tmp_path / "exported/model.onnx"
    ).stat().st_size


def test_nothing_is_overwritten(model, tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(ConfigError, match="already exists"):
        export_onnx(tmp_path, model, name="small")
    assert [file.name for file in tmp_path.iterdir()] == ["note"]


def test_what_to_install_is_said(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"needs the package onnx.*pip install .[\w-]+\[export\]"):
        export_onnx(tmp_path / "exported", model, name="small")
