"""`recipes/dialogue/turn_texts.py`: sentences of a corpus and of pages, and phrases, each in one part."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from speech.errors import DataError
from speech.train.end_of_turn.batches import PHRASES_SOURCE, read_fillers
from speech.train.end_of_turn.turns import read_turns
from speech.train.pronunciation.batches import read_sources

RECIPES = Path(__file__).parents[2] / "recipes"
PAGE = '<page xmlns="http://projectmallard.org/1.0/"><p>{}</p></page>'
PARTS = ("train", "dev", "test")


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPES / "tts")
    monkeypatch.syspath_prepend(RECIPES / "dialogue")
    return importlib.import_module("turn_texts")


@pytest.fixture
def corpus(tmp_path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    texts = {
        "train": [("The cat sleeps.", "Die Katze schläft."), ("And so,", ""), ("We meet again.", "")],
        "dev": [("It rains.", "Es regnet.")],
        "test": [("we meet again.", "")],
    }
    for part, every in texts.items():
        lines = [
            json.dumps({
                "id": f"{part}-{n}", "audio": "a.ogg", "duration": 1.0, "lang": "eng", "text": text, "source": "tales",
                "licence": "CC0", "translations": {"deu": other} if other else {},
            }) + "\n"
            for n, (text, other) in enumerate(every)
        ]  # fmt: skip
        (folder / f"{part}.jsonl").write_text("".join(lines), "utf-8")
    return folder


def test_texts_of_a_corpus_stay_in_their_parts_and_those_that_go_on_are_left_out(recipe, corpus, tmp_path):
    recipe.main(tmp_path / "out", corpus=corpus)
    found = {part: read_turns(tmp_path / "out" / f"{part}.jsonl") for part in PARTS}
    told = {part: {(own.language, own.text) for own in found[part] if own.source == "tales"} for part in PARTS}
    assert told["train"] == {("eng", "The cat sleeps."), ("deu", "Die Katze schläft.")}
    assert told["dev"] == {("eng", "It rains."), ("deu", "Es regnet.")}
    assert told["test"] == {("eng", "we meet again.")}, "what is in two parts is for the test"
    assert read_sources(tmp_path / "out") == [("phrases", "Apache-2.0"), ("tales", "CC0")]


def test_phrases_are_complete_or_break_off_and_are_in_one_part_each(recipe, tmp_path):
    recipe.main(tmp_path / "out")
    found = {part: read_turns(tmp_path / "out" / f"{part}.jsonl") for part in PARTS}
    texts = [(own.language, own.text.casefold()) for part in PARTS for own in found[part]]
    assert len(texts) == len(set(texts)) > 700
    assert all(own.source == PHRASES_SOURCE for own in found["train"])
    every = {own.text: own.finished for part in PARTS for own in found[part] if own.language == "eng"}
    assert every["What time is it?"]
    assert not every["I would like to"]
    fillers = read_fillers(tmp_path / "out")
    assert set(fillers) == {"deu", "eng", "fra", "ita", "por", "spa"}
    assert "um" in fillers["eng"]
    assert min(len(found[part]) for part in PARTS) > 50


def test_sentences_of_pages_are_spread_over_the_parts(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "HELP", ("eng",))
    pages = tmp_path / "help"
    (pages / "C").mkdir(parents=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    body = " ".join(f"Press the key {a}{b} twice." for a in letters for b in letters[:10])
    (pages / "C" / "index.page").write_text(PAGE.format(body), "utf-8")
    recipe.main(tmp_path / "out", pages=pages, most=200)
    counts = [
        sum("Press the key" in own.text for own in read_turns(tmp_path / "out" / f"{part}.jsonl")) for part in PARTS
    ]
    assert 100 < sum(counts) <= 200
    assert min(counts) >= 1
    assert counts[0] > 5 * max(counts[1:])
    with pytest.raises(DataError, match="no help pages in 'eng'"):
        recipe.main(tmp_path / "other", pages=tmp_path)
    assert not (tmp_path / "other").exists()
