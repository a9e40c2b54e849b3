"""`speech trim`: a smaller model, and what is refused."""

import pytest
from typer.testing import CliRunner

from speech import Recognizer
from speech.cli.app import app
from speech.decode.label.joint import JointConfig
from speech.errors import ConfigError, ModelError
from speech.models.checkpoint import load_checkpoint
from speech.models.hybrid import load_hybrid, save_beside_label
from tests.conftest import CORPUS
from tests.tiny_hybrid import save_tiny_hybrid

CLIP = CORPUS / "asterisk_core_sounds" / "audio" / "eng" / "ast_en_priv-callpending.ogg"


def test_the_command_writes_a_smaller_model(tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("der hund lief über die straße\n\nthe cat sat on the mat\n", "utf-8")
    run = CliRunner().invoke(app, ["trim", "embedded", "--texts", str(texts), "--to", str(tmp_path / "small")])
    assert run.exit_code == 0, run.output
    assert "tokens: 1,746 ->" in run.output
    smaller = load_checkpoint(tmp_path / "small")
    assert smaller.tokenizer.decode(smaller.tokenizer.encode("die straße")) == "die straße"
    assert "## Trimmed" in (tmp_path / "small" / "README.md").read_text("utf-8")
    again = CliRunner().invoke(app, ["trim", "embedded", "--texts", str(texts), "--to", str(tmp_path / "small")])
    assert isinstance(again.exception, ConfigError)
    assert "already exists" in str(again.exception)
    missing = CliRunner().invoke(
        app, ["trim", "embedded", "--texts", str(tmp_path / "no"), "--to", str(tmp_path / "b")]
    )
    assert "cannot be read" in str(missing.exception)


def test_the_label_half_of_a_hybrid_stays_as_it_is(tmp_path):
    whole, small = tmp_path / "whole", tmp_path / "small"
    save_tiny_hybrid(whole, JointConfig(beam=3, learnt=["eng"]))
    texts = tmp_path / "texts.txt"
    texts.write_text("the cat sat\n", "utf-8")
    run = CliRunner().invoke(app, ["trim", str(whole), "--texts", str(texts), "--to", str(small)])
    assert run.exit_code == 0, run.output
    kept = sorted(path.name for path in (whole / "label").iterdir())
    assert kept == sorted(path.name for path in (small / "label").iterdir())
    assert all((small / "label" / name).read_bytes() == (whole / "label" / name).read_bytes() for name in kept)
    before, after = load_hybrid(whole), load_hybrid(small)
    assert len(after.ctc.tokenizer.vocabulary) < len(before.ctc.tokenizer.vocabulary)
    assert after.joint == before.joint
    assert "## Trimmed" in (small / "README.md").read_text("utf-8")
    recognizer = Recognizer.from_pretrained(str(small))
    assert recognizer.transcribe(CLIP, language="eng").text
    with pytest.raises(ModelError, match="kind 'whisper'"):
        save_beside_label(tmp_path / "other", after.ctc, whole / "label", card="")
