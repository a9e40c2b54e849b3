"""The recipe that writes shards: what it wrote is what the manifest says, and mistakes are one line."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speech.data.manifest import read_manifest
from speech.data.shards import n_shards, shard_utterances

RECIPE = Path(__file__).parents[2] / "recipes" / "owsm_ctc" / "shards.py"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Five tones in a folder of their own, and a manifest elsewhere."""
    (tmp_path / "audio").mkdir()
    lines = []
    for number in range(5):
        soundfile.write(tmp_path / "audio" / f"{number}.wav", 0.3 * np.sin(np.arange(8000) / (9 + number)), 16000)
        lines.append({"id": f"u{number}", "audio": f"{number}.wav", "duration": 0.5, "lang": "eng", "text": "one"})
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "lists" / "train.jsonl"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """Its exit code."""
    monkeypatch.setattr(sys, "argv", ["shards.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(RECIPE), run_name="__main__")
    return ended.value.code or 0


def test_a_manifest_becomes_shards(manifest, tmp_path, monkeypatch, capsys):
    root = tmp_path / "audio"
    assert call(monkeypatch, manifest, tmp_path / "out", "--root", root, "--size", 2) == 0
    assert "5 utterances" in capsys.readouterr().out
    assert n_shards(tmp_path / "out") == 3
    assert shard_utterances(tmp_path / "out") == read_manifest(manifest, root)
    assert call(monkeypatch, manifest, tmp_path / "opus", "--root", root, "--format", "opus") == 0
    assert json.loads((tmp_path / "opus" / "index.json").read_text())["audio_format"] == "opus"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "train.jsonl:1:audio: no such file"), (("--size", 0), "shard size 0"), (("--root", "/none"), "no such file")],
)
def test_what_cannot_be_done_is_one_line(manifest, tmp_path, monkeypatch, capsys, arguments, said):
    root = () if said.startswith("train") or "--root" in arguments else ("--root", tmp_path / "audio")
    assert call(monkeypatch, manifest, tmp_path / "out", *root, *arguments) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert said in told
    assert told.count("\n") == 1
