"""`speech import`: published models become checkpoints."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from speech.cli.app import app
from speech.models.checkpoint import load_checkpoint
from speech.models.fish_checkpoint import load_fish_checkpoint
from speech.models.importers import fish
from speech.models.kokoro_checkpoint import load_kokoro_checkpoint
from tests.published import LANGUAGES, TARGETS, write_published
from tests.published_fish import CODEC
from tests.published_fish_lm import write_fish
from tests.published_kokoro import write_kokoro


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return write_published(tmp_path_factory.mktemp("published") / "model")


def test_the_command_writes_a_checkpoint_of_the_same_tensors(original, tmp_path):
    result = CliRunner().invoke(app, ["import", str(original), "--to", str(tmp_path / "ours")])
    assert result.exit_code == 0, result.output
    checkpoint = load_checkpoint(tmp_path / "ours")
    theirs = torch.load(original / "exp" / "valid.ave.pth")
    state = checkpoint.model.state_dict()
    assert len(state) == len(theirs)
    assert torch.equal(state["feature_std"], theirs["normalize.std"])
    assert torch.equal(
        state["encoder.layers.3.cross.key.weight"], theirs["encoder.encoders.3.cross_attn.linear_k.weight"]
    )
    out = theirs["encoder.embed.out.0.weight"].view(16, 16, 9)  # (dim, channels, bins)
    assert torch.equal(state["encoder.subsampling.out.weight"].view(16, 9, 16), out.transpose(1, 2))
    conv = state["encoder.subsampling.conv.1.linear.weight"].view(16, 3, 3, 16)
    assert torch.equal(conv.permute(0, 3, 1, 2), theirs["encoder.embed.conv.2.weight"])
    assert checkpoint.tokenizer.vocabulary.languages == tuple(LANGUAGES)
    assert checkpoint.tokenizer.vocabulary.st_targets == tuple(TARGETS)
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["info"]["source"] == str(original)
    assert "where it comes from" in (tmp_path / "ours" / "SOURCE.md").read_text()
    again = CliRunner().invoke(app, ["import", str(original), "--to", str(tmp_path / "ours")])
    assert "already exists" in str(again.exception)


def test_a_kokoro_becomes_a_checkpoint_with_its_voices(tmp_path):
    source = write_kokoro(tmp_path / "published")
    result = CliRunner().invoke(app, ["import", str(source), "--to", str(tmp_path / "ours")])
    assert result.exit_code == 0, result.output
    assert "2 voices" in result.output
    checkpoint = load_kokoro_checkpoint(tmp_path / "ours")
    assert sorted(checkpoint.voices) == ["af_one", "bm_two"]
    assert checkpoint.info == {"source": str(source), "licence": "apache-2.0"}
    theirs = torch.load(source / "kokoro-v1_0.pth", weights_only=True)["bert_encoder"]["weight"]
    assert torch.equal(checkpoint.model.projection.weight, theirs)
    card = (tmp_path / "ours" / "README.md").read_text()
    assert "Licence: apache-2.0, as the source says" in card
    assert "af_one, bm_two" in card
    assert "where it comes from" in (tmp_path / "ours" / "SOURCE.md").read_text()
    (source / "README.md").unlink()
    CliRunner().invoke(app, ["import", str(source), "--to", str(tmp_path / "other"), "--storage", "compact"])
    card = (tmp_path / "other" / "README.md").read_text()
    assert "Apache-2.0, that of the published Kokoro-82M" in card
    assert "are stored as compact" in card
    voice = load_file(tmp_path / "other" / "voices" / "af_one.safetensors")["styles"]
    assert voice.dtype == torch.float16
    assert sorted(load_kokoro_checkpoint(tmp_path / "other").voices) == ["af_one", "bm_two"]


def test_a_fish_speech_becomes_a_checkpoint_that_carries_its_licence(tmp_path, monkeypatch):
    monkeypatch.setattr(fish, "CODEC", CODEC)
    source = write_fish(tmp_path / "published")
    result = CliRunner().invoke(app, ["import", str(source), "--to", str(tmp_path / "ours")])
    assert result.exit_code == 0, result.output
    assert "Fish-Speech 1.5, licence cc-by-nc-sa-4.0" in " ".join(result.output.split())
    checkpoint = load_fish_checkpoint(tmp_path / "ours")
    assert checkpoint.info == {"source": str(source), "licence": "cc-by-nc-sa-4.0"}
    theirs = torch.load(source / "model.pth", weights_only=True)
    assert torch.equal(checkpoint.model.output.weight, theirs["output.weight"])
    card = (tmp_path / "ours" / "README.md").read_text()
    assert "Licence: cc-by-nc-sa-4.0, as the source says" in card
    assert "The licence allows no commercial use" in card
    assert "Where it comes from" in (tmp_path / "ours" / "SOURCE.md").read_text()
    said = CliRunner().invoke(app, ["models", str(tmp_path / "ours")]).output
    assert "version       Fish-Speech 1.5" in said
    assert "licence       cc-by-nc-sa-4.0" in said
    assert "8000 Hz" in said
    said = CliRunner().invoke(app, ["models", str(tmp_path / "ours" / "codec")]).output
    assert "kind          firefly" in said
    assert "3 of 1000 per frame" in said
    (source / "README.md").unlink()
    CliRunner().invoke(app, ["import", str(source), "--to", str(tmp_path / "other")])
    assert "Licence: CC-BY-NC-SA-4.0, that of published" in (tmp_path / "other" / "README.md").read_text()
