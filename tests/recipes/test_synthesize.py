"""`recipes/hybrid/synthesize.py`: which sentences are said, by whom, and that the same is made again."""

from __future__ import annotations

import importlib
import importlib.util
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import ConfigError, DataError

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "hybrid"
GERMAN = [f"Das ist Satz {name}." for name in "eins zwei drei vier fünf sechs sieben acht neun zehn elf".split()]
GERMAN += [text.replace("ist", "war") for text in GERMAN]


@pytest.fixture
def synthesize(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("synthesize")


@pytest.fixture
def texts(synthesize) -> ModuleType:
    return sys.modules["texts"]


@pytest.fixture
def corpus(tmp_path) -> Path:
    """French with German and English translations."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    found = [
        Utterance(
            id=f"f{n}", audio=folder / "none.wav", duration_s=1.0, language="fra", text="Oui.", source="book",
            licence="CC0", translations={"deu": text, "eng": f"This is sentence {n}."},
        )
        for n, text in enumerate(GERMAN)
    ]  # fmt: skip
    write_manifest(found, folder / "train.jsonl")
    return folder


class Voice:
    """A synthesizer whose speech is as long as the text, and which counts."""

    asked = 0
    stops_at = -1

    def __call__(self, spoken: Any) -> np.ndarray:
        if Voice.asked == Voice.stops_at:
            raise KeyboardInterrupt
        Voice.asked += 1
        rng = np.random.default_rng(list(spoken.record.encode()))
        return 0.1 * rng.standard_normal(SAMPLE_RATE * len(spoken.text) // 20).astype(np.float32)


@pytest.fixture
def voice(synthesize, monkeypatch) -> type[Voice]:
    monkeypatch.setattr(synthesize, "Espeak", Voice)
    monkeypatch.setattr(synthesize, "of_django", lambda: iter(()))
    monkeypatch.setattr(Voice, "asked", 0)
    monkeypatch.setattr(Voice, "stops_at", -1)
    return Voice


def make(synthesize: ModuleType, corpus: Path, output: Path, **options: Any) -> list[Utterance]:
    given = {"languages": "deu", "hours": 40 / 3600, "enough": 30.0, "seed": 0} | options
    synthesize.main(corpus, output, **given)
    return read_manifest(output / "train.jsonl", check_files=True)


def test_what_is_made_names_text_voice_translation_and_licences(synthesize, voice, corpus, tmp_path):
    found = make(synthesize, corpus, tmp_path / "out")
    total_s = sum(utterance.duration_s for utterance in found)
    assert 40 <= total_s < 60
    english = {text: f"This is sentence {n}." for n, text in enumerate(GERMAN)}
    for utterance in found:
        assert utterance.language == "deu"
        said = utterance.text.replace(". ", ".|").split("|")
        assert 1 <= len(said) <= 4
        assert utterance.translations == {"eng": " ".join(english[text] for text in said)}
        assert utterance.source == "eSpeak NG 1.52, text: book"
        assert utterance.licence == "text: CC0; synthesizer: GPL-3.0-or-later"
        assert len(load_audio(utterance.audio)) == round(utterance.duration_s * SAMPLE_RATE)
    assert len({utterance.speaker for utterance in found}) > 3
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| deu |" in card
    assert "| eSpeak NG 1.52, text: book | text: CC0; synthesizer: GPL-3.0-or-later |" in card
    assert str(tmp_path) not in card + (tmp_path / "out" / "train.jsonl").read_text()


def test_a_run_that_was_interrupted_goes_on_and_makes_the_same(synthesize, voice, corpus, tmp_path):
    whole = make(synthesize, corpus, tmp_path / "whole")
    count = voice.asked
    voice.asked, voice.stops_at = 0, count // 2
    with pytest.raises(KeyboardInterrupt):
        make(synthesize, corpus, tmp_path / "cut")
    assert not (tmp_path / "cut" / "train.jsonl").exists()
    voice.stops_at = -1
    rest = make(synthesize, corpus, tmp_path / "cut")
    assert voice.asked == count
    assert [u.id for u in rest] == [u.id for u in whole]
    for one, other in zip(whole, rest, strict=True):
        assert one.audio.read_bytes() == other.audio.read_bytes()
    names = ("train.jsonl", "README.md")
    assert all((tmp_path / "whole" / n).read_bytes() == (tmp_path / "cut" / n).read_bytes() for n in names)
    other = make(synthesize, corpus, tmp_path / "other", seed=1)
    assert {u.id for u in other}.isdisjoint(u.id for u in whole)


def test_texts_are_said_several_times_but_not_without_end(synthesize, voice, corpus, tmp_path):
    found = make(synthesize, corpus, tmp_path / "out", hours=1.0)
    assert sum(sum(text in u.text for u in found) for text in GERMAN) == 8 * len(GERMAN)
    assert len({u.id for u in found}) == len(found)


def test_languages_of_which_the_corpus_has_enough_are_not_made(synthesize, corpus):
    found = read_manifest(corpus / "train.jsonl")
    few, many = (synthesize._lacking(found, enough) for enough in (30.0, 0.1))
    assert "fra" in few
    assert "deu" in few
    assert set(few) - set(many) == {"fra"}
    assert {"jpn", "kor", "por", "pol", "tur", "hin", "ara"} <= set(few)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hours": 0.0}, "--hours 0, expected more than 0"),
        ({"hours": float("nan")}, "--hours nan"),
        ({"languages": "deu,yor"}, "eSpeak NG has no voice of 'yor'"),
    ],
)
def test_what_makes_no_sense_is_refused(synthesize, voice, corpus, tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        make(synthesize, corpus, tmp_path / "out", **options)


def test_a_language_without_texts_is_said(synthesize, voice, corpus, tmp_path):
    with pytest.raises(DataError, match="too few texts in all languages"):
        make(synthesize, corpus, tmp_path / "out", languages="kor")


@pytest.mark.parametrize("package", ["espeakng_loader", "django"])
def test_a_package_that_is_missing_is_said_with_what_brings_it(synthesize, corpus, tmp_path, monkeypatch, package):
    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else original(name))
    if package == "django":
        monkeypatch.setattr(synthesize, "Espeak", Voice)
    with pytest.raises(ConfigError, match=rf"(?s){package.replace('_', '-')}.*uv run --group synthesis"):
        make(synthesize, corpus, tmp_path / "out", languages="deu")
    assert not (tmp_path / "out" / "train.jsonl").exists()


def test_sentences_that_can_be_said_are_kept_once(texts):
    good = ["Das ist gut so.", "Wo bist du denn?"]
    bad = ["Zu kurz", "Ein Wert von %(name)s fehlt.", "Siehe www.example.com dort", "1 + 2 - 3 = 4 (5)", "x " * 200]
    given = [texts.Sentence("deu", text, None, "s", "l") for text in [*good, *bad, f"  {good[0]} "]]
    given += [texts.Sentence("jpn", text, None, "s", "l") for text in ("これは ほんです。", "日本語のファイルです")]
    given += [texts.Sentence("hin", "यह एक अच्छा वाक्य है", None, "s", "l")]
    found = texts.speakable(given, ["deu", "jpn", "hin", "kor"])
    assert [sentence.text for sentence in found["deu"]] == good
    assert [sentence.text for sentence in found["jpn"]] == ["これは ほんです。"]
    assert len(found["hin"]) == 1
    assert found["kor"] == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_catalogues_are_read_in_either_order_of_bytes(texts, order):
    pairs = [("", "Language: de"), ("Enter a date.", "Datum angeben."), ("Yes", "Já")]
    blobs = [text.encode() for pair in pairs for text in pair]
    start, table = 28 + 16 * len(pairs), {0: b"", 1: b""}
    for n, blob in enumerate(blobs):
        table[n % 2] += struct.pack(f"{order}2I", len(blob), start)
        start += len(blob)
    head = struct.pack(f"{order}7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    assert list(texts.messages(head + table[0] + table[1] + b"".join(blobs))) == pairs[1:]


def test_sentences_are_joined_with_an_end_between(synthesize):
    assert synthesize._joined(["Eins", "Zwei?", "Drei"], "deu") == "Eins. Zwei? Drei"
    assert synthesize._joined(["いち", "に"], "jpn") == "いち。に"


def test_django_has_sentences_in_many_languages(texts):
    pytest.importorskip("django")
    found: dict[str, int] = {}
    for sentence in texts.of_django():
        assert sentence.english
        found[sentence.language] = found.get(sentence.language, 0) + 1
    assert {code for code, count in found.items() if count > 100} >= {"kor", "jpn", "por", "pol", "tur", "ara", "cmn"}


def test_the_real_synthesizer_says_the_same_in_each_run(corpus, tmp_path):
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("django")
    command = [sys.executable, str(RECIPE / "synthesize.py"), str(corpus)]
    options = ["--hours", str(12 / 3600), "--languages", "deu,ko"]
    for name in ("one", "other"):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        ran = subprocess.run(
            [*command, str(tmp_path / name), *options], cwd=ROOT, env=environment, capture_output=True, timeout=200
        )
        assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    one, other = (read_manifest(tmp_path / name / "train.jsonl", check_files=True) for name in ("one", "other"))
    assert {u.language for u in one} == {"deu", "kor"}
    assert [u.id for u in one] == [u.id for u in other]
    for first, second in zip(one, other, strict=True):
        assert first.audio.read_bytes() == second.audio.read_bytes()
        samples = load_audio(first.audio)
        assert 0.8 <= len(samples) / SAMPLE_RATE <= 24
        assert np.abs(samples).max() > 0.05


def test_a_synthesizer_that_fails_is_said(synthesize):
    pytest.importorskip("espeakng_loader")
    espeak = sys.modules["espeak"]
    with pytest.raises(DataError, match="no voice nowhere"):
        espeak.Espeak()(espeak.Spoken("Hello there.", "nowhere", 150, 50))
