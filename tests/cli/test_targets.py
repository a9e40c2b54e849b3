"""`speech targets`: measured, and recorded only where it translates."""

import dataclasses
import re

import pytest
from typer.testing import CliRunner

import speech.cli.targets
from speech.cli.app import app
from speech.data.manifest import read_manifest, write_manifest
from speech.errors import SpeechError
from speech.models.checkpoint import load_outline
from speech.models.translation_targets import with_section
from tests.conftest import CLIPS

pytest.importorskip("sacrebleu", reason="needs sacrebleu: the extra `score`")
SENTENCES = ["Guten Morgen, wie geht es Ihnen heute?", "Der Zug nach Hamburg fährt um acht Uhr ab."]


@pytest.fixture
def manifest(tmp_path):
    """Thirty utterances of the languages of the small model, with translations into English."""
    clip = read_manifest(CLIPS, check_files=True)[0]
    utterances = [
        dataclasses.replace(
            clip, id=f"u{n}", language="deu", text=SENTENCES[n % 2], translations={"eng": f"good morning number {n}"}
        )
        for n in range(30)
    ]
    path = tmp_path / "test.jsonl"
    write_manifest(utterances, path)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["targets", *map(str, arguments)], env={"COLUMNS": "200"})


def test_a_model_that_writes_no_translation_is_not_recorded(checkpoint, manifest, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = folder / "config.json"
    config.write_text(
        re.sub(r'"translates": \{.*?\n \}', '"translates": {}', config.read_text("utf-8"), flags=re.S), "utf-8"
    )
    found = run(folder, manifest, "--record")
    assert found.exit_code == 0, found.output
    assert re.search(r"eng +│ +30 .* no ", found.output)
    assert load_outline(folder).targets == {}
    assert (folder / "README.md").read_text("utf-8") == with_section("# small\n", {})


def test_a_model_that_translates_is_recorded(checkpoint, manifest, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())

    def written(_recognizer, utterances, to):  # what the small model cannot do
        return [u.translations[to].replace("number", "numbers") if to else u.text for u in utterances]

    monkeypatch.setattr(speech.cli.targets, "_written", written)
    found = run(folder, manifest, "--record", "--to", "English")
    assert re.search(r"eng +│ +30 .* yes ", found.output)
    score = load_outline(folder).targets["eng"]
    assert (score.utterances, score.sources, score.data) == (30, ("deu",), "test.jsonl")
    assert score.chrf > 80 > 20 > score.source_chrf


def test_a_manifest_without_translations_is_refused(checkpoint):
    found = run(checkpoint, CLIPS)
    assert isinstance(found.exception, SpeechError)
    assert "has no utterance with a translation into eng" in str(found.exception)
