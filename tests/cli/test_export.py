"""`speech export`: what it writes, and what it refuses."""

import pytest
import typer
from typer.testing import CliRunner

from speech.cli.export import export_model
from speech.errors import ConfigError
from speech.models.checkpoint import LabelCheckpoint, load_checkpoint, save_label_checkpoint
from speech.models.export.onnx_files import open_onnx
from tests.tiny_hybrid import latin_whisper
from tests.tiny_whisper import tiny_label_tokenizer

pytest.importorskip("onnx")


def export(*arguments):
    app = typer.Typer()
    app.command()(export_model)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_writes_a_model_for_whole_files_and_live_chunks(checkpoint, tmp_path):
    to = tmp_path / "exported"
    result = export(checkpoint, "--to", to, "--language", "eng")
    assert result.exit_code == 0, result.output
    facts = open_onnx(to / "streaming.onnx").get_modelmeta().custom_metadata_map
    assert [facts[key] for key in ("chunk_size", "left_context", "right_context")] == ["16", "256", "8"]
    eng = load_checkpoint(checkpoint).model.vocabulary.language_id("eng")
    assert facts["prefix"].startswith(f"{eng},")
    assert isinstance(export(checkpoint, "--to", to).exception, ConfigError)
    refused = export(checkpoint, "--to", tmp_path / "other", "--chunk-ms", "330")
    assert "multiple of 20 ms" in str(refused.exception)
    whole = export(checkpoint, "--to", tmp_path / "whole", "--no-streaming")
    assert whole.exit_code == 0
    assert sorted(file.name for file in (tmp_path / "whole").iterdir()) == ["README.md", "model.onnx", "tokens.txt"]


def test_the_command_writes_a_model_without_ctc(tmp_path):
    label = LabelCheckpoint(latin_whisper(), tiny_label_tokenizer(), {})
    save_label_checkpoint(tmp_path / "label", label, card="")
    result = export(tmp_path / "label", "--to", tmp_path / "onnx")
    assert result.exit_code == 0, result.output
    assert "label_decoder.onnx" in result.output
    for option in (["--sherpa"], ["--language", "eng"]):
        refused = export(tmp_path / "label", "--to", tmp_path / "other", *option)
        assert isinstance(refused.exception, ConfigError)
        assert "without CTC" in str(refused.exception)
    assert not (tmp_path / "other").exists()
