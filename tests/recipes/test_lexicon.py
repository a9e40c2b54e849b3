"""`recipes/tts/lexicon.py`: which words of the lexica are kept, with which phonemes; the file is always the same."""

from __future__ import annotations

import gzip
import importlib
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from speech.errors import DataError
from speech.tts.pronunciation.lexicon import EnglishLexicon, read_lexicon

RECIPE = Path(__file__).parents[2] / "recipes" / "tts"
GOLD = {
    "A": "ˈA", "I": "ˈI", "T": "tˈi", "U": "jˈu", "S": "ˈɛs", "Peter": "pˈiɾəɹ", "peter": "pˈiɾəɹ", "cat": "kˈæt",
    "cats": "kˈæts", "cats-paw": "kˈætspˌɔ", "fish": "fˈɪʃ", "fishes": "fˈɪʃɪz",
    "happy": "hˈæpi", "read": {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd"},
    "allies": {"DEFAULT": "ˈælˌIz", "VERB": "ˈælˌIz"}, "ADD": {"DEFAULT": "ˈæd", "NOUN": None}, "of": "ʌv", "by": "bˈI",
    "By": "bˈI", "'cause": "kˈʌz", "bottle": "bˈɑʔəl", "polish": "pˈɑlɪʃ", "Polish": "pˈOlɪʃ",
    "close": {"A": "x", "B": "y"}, "us": "ˌʌs",
    "sing": "sˈɪŋ", "singing": "sˈɪŋɪŋ", "singings": "sˈɪŋɪŋz",
}  # fmt: skip
SILVER = {
    "catty": "kˈæɾi", "fisher": "fˈɪʃəɹ", "outvie": "WtvˈI", "fished": "fˈɪʃt", "cat": "wrong", "catting": "kˈæTɪŋ",
    "happier": "hˈæpiəɹ", "outvied": "WtvˈId",
}  # fmt: skip


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("lexicon")


def test_words_are_kept_that_sound_alike_everywhere_and_by_no_rule(recipe):
    found = recipe.chosen(GOLD, SILVER)
    assert found == {
        "A": "ˈA", "I": "ˈI", "T": "tˈi", "U": "jˈu", "S": "ˈɛs", "peter": "pˈiTəɹ", "cat": "kˈæt",
        "cats-paw": "kˈætspˌɔ", "fish": "fˈɪʃ", "fishes": "fˈɪʃɪz", "read": "", "allies": "ˈælˌIz", "ADD": "", "of": "",
        "by": "", "bottle": "bˈɑtəl", "polish": "pˈɑlɪʃ", "Polish": "pˈOlɪʃ", "close": "", "sing": "sˈɪŋ",
        "fisher": "fˈɪʃəɹ", "happier": "hˈæpiəɹ", "singings": "sˈɪŋɪŋz", "us": "", "happy": "hˈæpi",
        "IT": "ˌItˈi", "US": "jˌuˈɛs",
    }  # fmt: skip


def test_the_file_says_every_word_as_the_lexica_do(recipe, monkeypatch, tmp_path):
    assets = tmp_path / "assets"
    assets.mkdir()
    for name, own in (("gold", GOLD), ("silver", SILVER)):
        (assets / f"lexicon_us_{name}.json.gz").write_bytes(gzip.compress(json.dumps(own).encode()))
    monkeypatch.setattr(recipe, "installed", lambda name: SimpleNamespace())
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    for name in ("one.gz", "two.gz"):
        recipe.main(tmp_path / name)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    assert read_lexicon(tmp_path / "one.gz") == recipe.chosen(GOLD, SILVER)
    lexicon = EnglishLexicon(tmp_path / "one.gz", {*"".join(recipe.chosen(GOLD, SILVER).values())})
    for word in ("Peter", "cats", "fishes", "fished", "catting", "singing", "singings", "Polish", "cat"):
        said = {**SILVER, **GOLD}[word].translate(str.maketrans("ɾʔ", "Tt"))
        assert lexicon.look_up(["a", word]) == [None, said]
    (assets / "lexicon_us_gold.json.gz").write_bytes(b"{}")
    with pytest.raises(DataError, match="no lexicon"):
        recipe.main(tmp_path / "three.gz")
    assert not (tmp_path / "three.gz").exists()
