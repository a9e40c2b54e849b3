"""`recipes/tts/teacher_pronunciations.py`: pages and words, and how each word is pronounced."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from speech.errors import ConfigError, DataError
from speech.train.pronunciation.batches import read_pronunciations, read_sources
from speech.tts.pronunciation.pronunciation import pronounced

RECIPE = Path(__file__).parents[2] / "recipes" / "tts"
PAGE = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><body><div class="para">{}</div><div>Kein Absatz.</div></body></html>'
)


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPE)
    found = importlib.import_module("teacher_pronunciations")
    monkeypatch.setattr(found, "words_pronouncer", lambda code: lambda spoken: pronounced(spoken, spelled))
    return found


def spelled(text: str) -> str:
    return " ".join("" if word == "mute" else word.upper() for word in text.split())


@pytest.fixture
def book(tmp_path) -> Path:
    for code, text in (("en-US", "Nobody translated this page."), ("de-DE", "Dieses Buch hat <em>zwei</em> Seiten.")):
        (tmp_path / "html" / code).mkdir(parents=True)
        (tmp_path / "html" / code / "1.html").write_text(PAGE.format(text), "utf-8")
    (tmp_path / "html" / "de-DE" / "2.html").write_text(PAGE.format("Nobody translated this page."), "utf-8")
    return tmp_path / "html"


def test_pages_and_words_become_lines(recipe, book, tmp_path):
    words = tmp_path / "words"
    words.write_text("\n".join(["eins", "eins", "x", "R2D2", *(f"wort{letter}" for letter in "abcdefgh")]))
    recipe.main(tmp_path / "out", "German", handbook=book, words=words)
    found = [own for part in ("train", "dev") for own in lines(tmp_path / "out" / f"{part}.jsonl")]
    texts = {" ".join(own["words"]) for own in found}
    assert texts == {"Dieses Buch hat zwei Seiten", "eins", *(f"wort{letter}" for letter in "abcdefgh")}
    for own in found:
        assert own["lang"] == "deu"
        assert own["symbols"] == [word.upper() for word in own["words"]]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| Debian Administrator's Handbook |" in card
    assert "| words: words |" in card
    assert dict(read_sources(tmp_path / "out")).keys() == {
        "eSpeak NG",
        "Debian Administrator's Handbook",
        "words: words",
    }
    assert read_pronunciations(tmp_path / "out" / "train.jsonl")


def lines(path: Path) -> list[dict[str, list[str]]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_draw_of_words_is_repeatable(recipe, tmp_path):
    words = tmp_path / "words"
    words.write_text("\n".join(a + b for a in "abcdefgh" for b in "abcdefgh"))
    first, again, other = (recipe._drawn(words, 10, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 10


def test_what_cannot_be_said_is_left_out(recipe, tmp_path):
    words = tmp_path / "words"
    words.write_text("gut\nmute")
    recipe.main(tmp_path / "out", "eng", words=words)
    found = [own for part in ("train", "dev") for own in lines(tmp_path / "out" / f"{part}.jsonl")]
    assert [own["words"] for own in found] == [["gut"]]


def test_what_is_missing_is_named(recipe, book, tmp_path):
    with pytest.raises(ConfigError, match="no text is given"):
        recipe.main(tmp_path / "out", "eng")
    with pytest.raises(DataError, match="no handbook in 'fra'"):
        recipe.main(tmp_path / "out", "fra", handbook=book)
    with pytest.raises(DataError, match="no list of words"):
        recipe.main(tmp_path / "out", "eng", words=tmp_path / "none")
    (tmp_path / "empty").write_text("1 2 3")
    with pytest.raises(DataError, match="has no words"):
        recipe.main(tmp_path / "out", "eng", words=tmp_path / "empty")
    (book / "de-DE" / "1.html").write_text("<html>")
    with pytest.raises(DataError, match="no page of the handbook"):
        sys.modules["handbook"].handbook_sentences(book, "deu")
