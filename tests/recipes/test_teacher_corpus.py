"""`recipes/tts/teacher_corpus.py`: sentences, phonemes, teachers with their durations, and a run that resumes."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from speech.audio.input.files import probe
from speech.data.manifest import Utterance, read_manifest
from speech.errors import ConfigError, DataError

RECIPE = Path(__file__).parents[2] / "recipes" / "tts"
PAGE = """<page xmlns="http://projectmallard.org/1.0/"><title>T</title>{}</page>"""
NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("teacher_corpus")


@pytest.fixture
def teachers(recipe) -> ModuleType:
    return sys.modules["teachers"]


@pytest.fixture
def phonemizer(recipe) -> Any:
    return sys.modules["phonemes"].phonemizer


@pytest.fixture
def pages(tmp_path) -> Path:
    """Help pages in English and Spanish, one of which is not translated."""
    folder = tmp_path / "help"
    english = [f"This is <em>sentence</em> {name}. Short. 1 2 3 4 5 6 7 8 9 10 11." for name in NUMBERS]
    for code, texts in (("C", english), ("es", ["Haga clic en la ventana.", english[0], "Haga clic en la ventana."])):
        (folder / code / "help").mkdir(parents=True)
        body = "".join(f"<p>\n {text}</p>" for text in texts)
        (folder / code / "help" / "index.page").write_text(PAGE.format(body), "utf-8")
    return folder


class Humming:
    """A teacher that hums as long as the phonemes are, and counts."""

    source = "humming", "CC0"
    asked = 0
    stops_at = -1

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __call__(self, phonemes: str) -> Any:
        if Humming.asked == Humming.stops_at:
            raise KeyboardInterrupt
        Humming.asked += 1
        durations = np.full(len(phonemes) + 2, 4)
        return self._module.Said(np.zeros(600 * durations.sum(), np.float32), f"^{phonemes}$", durations)


@pytest.fixture
def humming(recipe, teachers, monkeypatch) -> type[Humming]:
    monkeypatch.setattr(recipe, "_teacher", lambda *_: Humming(teachers))
    monkeypatch.setattr(recipe, "phonemizer", lambda *_: str.lower)
    monkeypatch.setattr(Humming, "asked", 0)
    monkeypatch.setattr(Humming, "stops_at", -1)
    return Humming


def make(recipe: ModuleType, pages: Path, output: Path, **options: Any) -> list[Utterance]:
    given = {"language": "eng", "voices": "a,b", "packs": None, "hours": 1.0, "seed": 0} | options
    recipe.main(output, pages, **given)
    return [*read_manifest(output / "train.jsonl", check_files=True), *read_manifest(output / "dev.jsonl")]


def test_sentences_are_read_once_and_untranslated_ones_are_left_out(recipe, pages):
    read = sys.modules["help_pages"].help_sentences
    assert read(pages, "eng") == [f"This is sentence {name}." for name in NUMBERS]
    assert read(pages, "spa") == ["Haga clic en la ventana."]
    with pytest.raises(DataError, match="no help pages in 'deu'"):
        read(pages, "deu")
    (pages / "es" / "help" / "broken.page").write_text("<page>")
    with pytest.raises(DataError, match="it is no help page"):
        read(pages, "spa")


def test_a_corpus_has_phonemes_with_durations_and_the_texts_as_written(recipe, humming, pages, tmp_path):
    output = tmp_path / "out"
    made = make(recipe, pages, output)
    assert humming.asked == len(made)
    assert {one.speaker for one in made} == {"a", "b"}
    written = {one.id: one for one in read_manifest(output / "written.jsonl")}
    durations = {
        name: own
        for part in ("train", "dev")
        for name, own in load_file(output / "alignments" / f"{part}.safetensors").items()
    }
    assert set(written) == {one.id for one in made} == set(durations)
    for one in made:
        assert one.text == f"^{written[one.id].text.lower()}$"
        assert durations[one.id] == pytest.approx(np.full(len(one.text), 0.1))
        assert probe(one.audio).duration_s == pytest.approx(durations[one.id].sum(), abs=1e-4)
        assert one.licence == "speech: CC0, text: CC-BY-SA-3.0"
    said = " ".join(one.text for one in written.values())
    assert [said.count(f"sentence {name}.") for name in NUMBERS] == [2] * len(NUMBERS)
    card = (output / "README.md").read_text()
    assert "| a | humming |" in card
    assert str(tmp_path) not in card + (output / "train.jsonl").read_text()


@pytest.mark.parametrize("torn", [False, True])
def test_a_run_that_was_interrupted_resumes_and_makes_the_same(recipe, humming, pages, tmp_path, torn):
    whole = make(recipe, pages, tmp_path / "whole", hours=0.01)
    count = humming.asked
    humming.asked, humming.stops_at = 0, count // 2
    with pytest.raises(KeyboardInterrupt):
        make(recipe, pages, tmp_path / "cut", hours=0.01)
    assert not (tmp_path / "cut" / "train.jsonl").exists()
    journal = tmp_path / "cut" / "journal.jsonl"
    if torn:
        journal.write_text(journal.read_text()[:-5])
    humming.stops_at = -1
    assert [one.id for one in make(recipe, pages, tmp_path / "cut", hours=0.01)] == [one.id for one in whole]
    assert humming.asked == count + torn
    for name in ("train.jsonl", "dev.jsonl", "written.jsonl", "README.md", "alignments/train.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    assert sum(one.duration_s for one in whole) >= 36


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("eng", "Dr. Smith paid $5.", "dˈɑktəɹ smˈɪθ pˈAd fˈIv dˈɑləɹz."),
        ("spa", "¿Dónde está? Cuesta 5 € «hoy».", "dˈonde estˈa? kwˈesta θˈinko ˈeʊɾos “ˈoɪ”."),
        ("fra", "Il est là, bonjour !", "il ɛ lˈa, bɔ̃ʒˈuʁ!"),
        ("ita", "Oggi (sì) piove.", "ˈɔʤːɪ (sˈiː) pjˈɔve."),
        ("por", "O tempo está bom.", "ʊ tˈAmpw estˌa bˈoŋ."),
        ("deu", "Die Züge fahren um 14:30 Uhr.", "diː ʦˈyːɡə fˈɑːrən ʊm fˈiːʁʦeːn ˈuːʁ dʁˈIsɪç."),
    ],
)
def test_phonemes(phonemizer, language, text, expected):
    assert phonemizer(language, "af_heart")(text) == expected


def test_hibari_says_how_long_each_phoneme_lasts(teachers, phonemizer):
    phonemes = phonemizer("eng", "heart")("Hello there.")
    said, again = (teachers.Hibari()(phonemes) for _ in range(2))
    assert said.symbols == f"^{phonemes}$"
    assert len(said.samples) == 600 * said.durations.sum()
    assert 0.5 < len(said.samples) / 24000 < 3
    assert np.abs(said.samples).max() > 0.05
    np.testing.assert_array_equal(said.samples, again.samples)
    with pytest.raises(DataError, match="0 phonemes"):
        teachers.Hibari()("")


def test_kokoro_says_how_long_each_phoneme_lasts(teachers, tmp_path):
    pack = tmp_path / "voice.bin"
    pack.write_bytes(np.zeros((510, 256), "<f4").tobytes())
    said = teachers.Kokoro(pack)("həlˈO")
    assert said.symbols == "^həlˈO$"
    assert len(said.samples) == 600 * said.durations.sum()
    pack.write_bytes(b"0000")
    with pytest.raises(DataError, match="4 bytes, expected 522240"):
        teachers.Kokoro(pack)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hours": 0.0}, "--hours 0"),
        ({"voices": " , "}, "--voices names none"),
        ({"voices": "heart", "language": "spa"}, "speaks English, not 'spa'"),
        ({"voices": "ef_dora", "language": "spa"}, "needs --packs"),
    ],
)
def test_what_is_wrong_is_said(recipe, pages, tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        make(recipe, pages, tmp_path / "out", **options)


def test_a_language_without_phonemes_is_refused(phonemizer):
    with pytest.raises(ConfigError, match="no voice for 'fin'"):
        phonemizer("fin", "x")


def test_records_are_one_object_a_line(recipe, humming, pages, tmp_path):
    make(recipe, pages, tmp_path / "out", hours=0.005)
    records = [json.loads(line) for line in (tmp_path / "out" / "journal.jsonl").read_text("utf-8").splitlines()]
    assert all(len(record["frames"]) == len(record["symbols"]) for record in records)
