"""`recipes/code_switching`: a parallel corpus becomes code-switched speech, and a model is trained on it."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.checksums import verify
from speech.data.code_switching.judges import ACCEPTED, WEIGHTS
from speech.data.code_switching.mixture import words_of
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import DataError
from speech.train.asr.schema import register

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "code_switching"
PAIRS = {"train": 8, "dev": 3, "test": 3}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(name: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RECIPE / name), *arguments]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=250)


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"code_switching_{name}", RECIPE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sentences(part: str) -> list[tuple[Utterance, Utterance]]:
    """English and Spanish of the repository's corpus that say the same: those of more than three words, short ones."""
    found: dict[str, dict[str, Utterance]] = defaultdict(dict)
    for utterance in read_manifest(ROOT / "corpus" / f"{part}.jsonl"):
        if utterance.parallel_id is not None and len(words_of(utterance.text, utterance.language)) > 3:
            found[utterance.parallel_id][utterance.language] = utterance
    both = [(said["eng"], said["spa"]) for said in found.values() if {"eng", "spa"} <= set(said)]
    return sorted(both, key=lambda pair: pair[0].duration_s)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parallel")
    for part, count in PAIRS.items():
        chosen = sentences(part)[:count]
        write_manifest([utterance for pair in chosen for utterance in pair], folder / f"{part}.jsonl")
    return folder


@pytest.fixture(scope="module")
def switched(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the recipe makes, told where to by a path from here."""
    place = tmp_path_factory.mktemp("made")
    ran = run("prepare.py", str(corpus), "switched", "--train", "2", "--dev", "1", "--test", "1", cwd=place)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert "files in" in ran.stdout
    return place / "switched"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_it_makes_parts_with_words_verdicts_and_checksums(corpus: Path, switched: Path) -> None:
    assert verify(switched) == len(contents(switched)) - 2  # all but the list itself and the word times
    sources = {part: {u.id for u in read_manifest(corpus / f"{part}.jsonl")} for part in PAIRS}
    for part, most in (("train", 2), ("dev", 1), ("test", 1)):
        made = read_manifest(switched / f"{part}.jsonl", check_files=True)
        assert 1 <= len(made) <= most
        judged = [json.loads(line) for line in (switched / f"{part}.judged.jsonl").read_text("utf-8").splitlines()]
        assert [one["id"] for one in judged] == [u.id for u in made]
        assert all(one["total"] >= ACCEPTED and set(one["scores"]) == set(WEIGHTS) for one in judged)
        for utterance in made:
            assert set(utterance.languages) == {"eng", "spa"}
            assert " ".join(word.text for word in utterance.words) == utterance.text
            samples = load_audio(utterance.audio)
            assert len(samples) / SAMPLE_RATE == pytest.approx(utterance.duration_s, abs=1e-4)
            assert utterance.words[-1].end_s <= utterance.duration_s + 1e-3
            assert utterance.speaker == "allison-smith+es_MX"
            assert "CC-BY-SA-3.0" in utterance.licence
            assert any(f"-{name}-" in utterance.id for name in sources[part])
    assert f"| train | {len(read_manifest(switched / 'train.jsonl'))} |" in (switched / "README.md").read_text("utf-8")


def test_made_again_it_is_the_same_and_what_was_there_of_another_seed_is_not_kept(
    corpus: Path, switched: Path, tmp_path: Path
) -> None:
    prepare, again = loaded("prepare"), tmp_path / "switched"
    shutil.copytree(switched, again)
    for audio in (again / "train").glob("*.flac"):
        shutil.copy(next((again / "dev").glob("*.flac")), audio)
    kept = (again / "aligned.jsonl").read_text("utf-8")
    (again / "aligned.jsonl").write_text(kept[: len(kept) // 2], "utf-8")  # as a run that was killed leaves it
    prepare.main(corpus, again, train=2, dev=1, test=1)
    made, whole = contents(again), contents(switched)
    assert len(made.pop("aligned.jsonl")) >= len(whole.pop("aligned.jsonl")) // 2
    assert made == whole


def test_a_corpus_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"train\.jsonl:1:id: is missing"):
        loaded("prepare").main(tmp_path, tmp_path / "out")


def train(corpus: Path, switched: Path, output: Path) -> str:
    """Runs the recipe as if its configuration came from the command line; what it prints."""
    options = [
        "trainer.max_steps=2",
        "trainer.progress=false",
        "data.batches.batch_s=8",
        "data.batches.max_s=8",
        "data.batches.concatenate_max_s=8",
        "data.workers=0",
        "evaluate=false",
    ]
    options += [f"data.root={corpus}", f"data.also=[{switched}/train.jsonl]", f"output={output}"]
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_object(compose("code_switching", overrides=options))
    said = io.StringIO()
    loaded("train").main(config, Console(file=said, markup=False, soft_wrap=True))
    return said.getvalue()


def test_a_changed_file_is_noticed_before_the_first_step(corpus: Path, switched: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(switched, broken)
    audio = next((broken / "train").glob("*.flac"))
    audio.write_bytes(audio.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="was changed"):
        train(corpus, broken, tmp_path / "none")
    assert not (tmp_path / "none" / "config.json").exists()


def test_a_model_is_trained_on_it(corpus: Path, switched: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    assert f"try it: speech transcribe --model {output}/model FILE" in train(corpus, switched, output)
    assert (output / "model" / "model.safetensors").is_file()
    recorded = json.loads((output / "config.json").read_text())["config"]
    assert recorded["data"]["also"] == [f"{switched}/train.jsonl"]
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert any("dev/loss" in row for row in rows)


def test_paragraphs_are_cut_into_sentences_that_are_parallel(tmp_path: Path) -> None:
    chosen = sentences("test")[:2]
    pause = np.zeros(SAMPLE_RATE // 2, np.float32)
    wholes = []
    for side, name in enumerate("ab"):
        said = [pair[side] for pair in chosen]
        samples = np.concatenate([load_audio(said[0].audio), pause, load_audio(said[1].audio)])
        soundfile.write(tmp_path / f"{name}1.wav", samples, SAMPLE_RATE)
        texts = [one.text.strip(" .…") for one in said]
        text = " ".join(f"{one[0].upper()}{one[1:]}." for one in texts)
        duration = len(samples) / SAMPLE_RATE
        audio = tmp_path / f"{name}1.wav"
        wholes.append(replace(said[0], id=f"{name}1", audio=audio, duration_s=duration, text=text, parallel_id=None))
    wholes.append(replace(wholes[0], id="c1", text=wholes[0].text.replace(". ", " ")))  # fewer sentences: left out
    wholes.append(replace(wholes[0], id="other"))
    write_manifest(wholes, tmp_path / "paragraphs.jsonl")
    loaded("sentences").main(tmp_path / "paragraphs.jsonl", tmp_path / "out", group=r"^[abc](\d)$")
    made = read_manifest(tmp_path / "out" / "test.jsonl", check_files=True)
    assert [(u.id, u.parallel_id) for u in made] == [("a1-0", "1-0"), ("a1-1", "1-1"), ("b1-0", "1-0"), ("b1-1", "1-1")]
    for number, utterance in enumerate(made):
        source = chosen[number % 2][number // 2]
        assert words_of(utterance.text, utterance.language) == words_of(source.text, source.language)
        assert utterance.duration_s == pytest.approx(source.duration_s, abs=0.5)
        assert len(load_audio(utterance.audio)) / SAMPLE_RATE == pytest.approx(utterance.duration_s, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.50 euros, e.g. here. So it is...", ["It costs 3.50 euros, e.g. here.", "So it is..."]),
        ("Well... yes. No", ["Well... yes.", "No"]),
        ("Élan. École.", ["Élan.", "École."]),
        ("你好。再见！什么？！好。", ["你好。", "再见！", "什么？！", "好。"]),
        ("Nothing here", ["Nothing here"]),
    ],
)
def test_sentences_end_at_their_marks_but_not_within_numbers(text: str, parts: list[str]) -> None:
    assert loaded("sentences").SENTENCE.split(text) == parts


def test_a_manifest_that_is_missing_and_a_group_that_matches_nothing_are_said(corpus: Path, tmp_path: Path) -> None:
    recipe = loaded("sentences")
    with pytest.raises(DataError, match="no such manifest"):
        recipe.main(tmp_path / "none.jsonl", tmp_path / "out", group="(x)")
    with pytest.raises(DataError, match="no id matches"):
        recipe.main(corpus / "dev.jsonl", tmp_path / "out", group="nothing(x)")
