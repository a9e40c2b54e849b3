"""`recipes/dialogue/recognised_turns.py`: what the embedded model makes of whole and of cut clips."""

from __future__ import annotations

import importlib
import json
import random
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from speech.data.manifest import Utterance
from speech.train.end_of_turn.turns import read_turns

RECIPE = Path(__file__).parents[2] / "recipes" / "dialogue"
CLIPS = Path(str(files("speech") / "assets" / "clips"))


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("recognised_turns")


def test_clips_are_recognised_whole_and_cut_and_an_interrupted_run_goes_on(recipe, tmp_path, monkeypatch):
    wanted = {"ast_en_priv-callpending": "eng", "ast_es_confbridge-has-joined": "spa"}
    lines = [
        json.dumps({
            "id": name, "audio": str(CLIPS / f"{name}.ogg"), "duration": 3.0, "lang": code,
            "text": "one two three four", "source": "asterisk",
        }) + "\n"
        for name, code in wanted.items()
    ]  # fmt: skip
    (tmp_path / "test.jsonl").write_text("".join(lines))
    output = tmp_path / "out"
    recipe.main(tmp_path, output, parts=["test"], most=1)
    first = read_turns(output / "test.jsonl")
    recipe.main(tmp_path, output, parts=["test"], most=2)
    found = read_turns(output / "test.jsonl")
    assert found[: len(first)] == first
    whole = {own.id: own for own in found if own.finished}
    assert {name: own.language for name, own in whole.items()} == wanted
    cut = [own for own in found if not own.finished]
    assert cut
    for own in cut:
        assert 0 < len(own.text.split()) < len(whole[own.id.removesuffix("-cut")].text.split())
    monkeypatch.setattr(recipe, "recognised", lambda *rest: pytest.fail("all is done"))
    recipe.main(tmp_path, output, parts=["test"], most=2)


def utterance(number: int, language: str, text: str) -> Utterance:
    return Utterance(id=str(number), audio=Path("a"), duration_s=1.0, language=language, text=text)


def test_clips_are_chosen_evenly_from_languages_and_few_of_single_words(recipe):
    every = [utterance(n, "eng", "one two three") for n in range(100)]
    every += [utterance(100 + n, "deu", "eins zwei drei") for n in range(10)]
    every += [utterance(200 + n, "fra", "un") for n in range(60)]
    every += [utterance(300 + n, "cmn", "一") for n in range(60)]
    chosen = recipe.evenly(every, 15, random.Random(1))
    counts = {code: sum(own.language == code for own in chosen) for code in ("eng", "deu", "fra", "cmn")}
    assert counts == {"eng": 5, "deu": 5, "fra": 5, "cmn": 0}
    shorts = [own for own in recipe.evenly(every, 1000, random.Random(1)) if own.language == "fra"]
    assert 3 <= len(shorts) <= 20


def test_a_cut_clip_fades_out_and_a_pause_follows(recipe):
    found = recipe.broken_off(np.ones(32_000, np.float32), 1.0)
    assert found.shape == (16_000 + 4_800,)
    assert found[15_000] == 1
    assert abs(found[15_999]) < 1e-6
    assert not found[16_000:].any()
