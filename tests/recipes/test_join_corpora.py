"""`recipes/tts/join_corpora.py`: several corpora with their durations become one."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import ConfigError, DataError
from speech.train.speech_lm.alignments import read_alignments

RECIPE = Path(__file__).parents[2] / "recipes" / "tts"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("join_corpora")


def corpus(folder: Path, language: str, count: int = 4) -> Path:
    """Utterances of half an hour each; the last one is for dev."""
    (folder / "alignments").mkdir(parents=True)
    own = [
        Utterance(
            id=f"{language}-{n}",
            audio=folder / "audio" / f"{n}.flac",
            duration_s=1800.0,
            language=language,
            text="^ab$",
            speaker=f"s{n % 2}",
        )
        for n in range(count)
    ]
    write_manifest([replace(one, text="A b.") for one in own], folder / "written.jsonl")
    for part, chosen in (("train", own[:-1]), ("dev", own[-1:])):
        write_manifest(chosen, folder / f"{part}.jsonl")
        durations = {one.id: torch.full((4,), float(len(language))) for one in chosen}
        save_file(durations, folder / "alignments" / f"{part}.safetensors")
    return folder


def test_corpora_are_joined_with_their_durations(recipe, tmp_path, capsys):
    one, other = corpus(tmp_path / "one", "eng"), corpus(tmp_path / "other", "spa")
    recipe.main(tmp_path / "joint", [one, other])
    for part, names in (("train", ["eng-0", "eng-1", "eng-2", "spa-0", "spa-1", "spa-2"]), ("dev", ["eng-3", "spa-3"])):
        found = read_manifest(tmp_path / "joint" / f"{part}.jsonl")
        assert [utterance.id for utterance in found] == names
        assert found[-1].audio == other / "audio" / f"{names[-1][-1]}.flac"
        durations = read_alignments(tmp_path / "joint" / "alignments" / f"{part}.safetensors")
        assert durations.keys() == set(names)
    assert len(read_manifest(tmp_path / "joint" / "written.jsonl")) == 8
    assert "train: 6 utterances, eng 1.50 h, spa 1.50 h" in capsys.readouterr().out


def test_the_first_hours_of_each_are_taken(recipe, tmp_path):
    one, other = corpus(tmp_path / "one", "eng", 6), corpus(tmp_path / "other", "spa")
    recipe.main(tmp_path / "joint", [one, other], most_hours=1.0)
    found = read_manifest(tmp_path / "joint" / "train.jsonl")
    assert [utterance.id for utterance in found] == ["eng-0", "eng-1", "spa-0", "spa-1"]
    assert len(read_alignments(tmp_path / "joint" / "alignments" / "train.safetensors")) == 4


def test_what_does_not_go_together_is_named(recipe, tmp_path):
    one, same = corpus(tmp_path / "one", "eng"), corpus(tmp_path / "same", "eng")
    with pytest.raises(DataError, match="eng-0 occurs twice"):
        recipe.main(tmp_path / "joint", [one, same])
    with pytest.raises(ConfigError, match="is one of the corpora"):
        recipe.main(one, [one])
