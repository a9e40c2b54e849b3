"""`recipes/tts/speaker_vectors.py`: a voice vector for each speaker of manifests."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from speech.data.manifest import read_manifest, write_manifest
from speech.errors import ConfigError, DataError
from speech.tensors import load_tensors
from tests.stand_in_packages import install_resemblyzer

RECIPE = Path(__file__).parents[2] / "recipes" / "tts"
CLIPS = Path(str(files("speech") / "assets" / "clips" / "clips.jsonl"))


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    install_resemblyzer(monkeypatch, tmp_path / "packages")
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("speaker_vectors")


def manifest(path: Path, *speakers: str) -> Path:
    """Clips of the package, each by one of the speakers."""
    clips = read_manifest(CLIPS, check_files=True)
    write_manifest([replace(clips[n], speaker=name) for n, name in enumerate(speakers)], path)
    return path


def test_each_speaker_has_a_vector(recipe, tmp_path, capsys):
    one, other = manifest(tmp_path / "a.jsonl", "ann", "ben", "ann", ""), manifest(tmp_path / "b.jsonl", "cleo")
    recipe.main(tmp_path / "v.safetensors", [one, other])
    found = load_tensors(tmp_path / "v.safetensors")
    assert list(found) == ["ann", "ben", "cleo"]
    for vector in found.values():
        assert vector.shape == (256,)
        assert float(vector.norm()) == pytest.approx(1.0, abs=1e-5)
    assert "3 speakers" in capsys.readouterr().out
    recipe.main(tmp_path / "first.safetensors", [one], utterances=1)
    assert not np.allclose(load_tensors(tmp_path / "first.safetensors")["ann"], found["ann"])


def test_silent_speakers_and_nameless_manifests_are_errors(recipe, tmp_path):
    with pytest.raises(DataError, match="no utterance has a speaker"):
        recipe.main(tmp_path / "v.safetensors", [manifest(tmp_path / "a.jsonl", "", "")])
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000, np.float32), 16000)
    [clip] = read_manifest(manifest(tmp_path / "b.jsonl", "mute"))
    write_manifest([replace(clip, audio=tmp_path / "silence.wav")], tmp_path / "b.jsonl")
    with pytest.raises(DataError, match="speaker mute says nothing in 1 utterances"):
        recipe.main(tmp_path / "v.safetensors", [tmp_path / "b.jsonl"])


def test_without_the_package_it_is_said(recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    with pytest.raises(ConfigError, match=r"\[speech-scores\]"):
        recipe.main(tmp_path / "v.safetensors", [manifest(tmp_path / "a.jsonl", "ann")])
