"""The benchmark of ends of turns: figures are counted right, sentences are cut, and a run writes its figures."""

from __future__ import annotations

import json

import pytest
from end_of_turn import cut_sentences, main, phrases, rows_of, scored

from speech.dialogue.end_of_turn import EndOfTurn
from speech.train.end_of_turn.batches import PHRASES_SOURCE
from speech.train.end_of_turn.turns import WrittenTurn, write_turns
from tests.turns import save_tiny_turn_end


def turn(text: str, finished: bool, language: str = "eng", source: str = "a") -> WrittenTurn:
    return WrittenTurn(text, language, text, finished, source)


def test_figures_are_counted_over_turns():
    turns = [turn("Yes.", True), turn("No", True), turn("I would.", False), turn("And", False)]
    found = scored(turns, [0.9, 0.5, 0.6, 0.1])
    assert (found["finished"], found["unfinished"]) == (2, 2)
    assert found["roc_area"] == 0.75
    assert (found["found"], found["threshold"]) == (0.5, 0.6)
    assert (found["marks_roc_area"], found["marks_found"], found["marks_false"]) == (0.5, 0.5, 0.5)
    assert found["classes"]["sure"] == {"turns": 1, "finished": 1.0}
    assert found["classes"]["open"] == {"turns": 2, "finished": 0.5}
    assert found["classes"]["unsure"] == {"turns": 1, "finished": 0.0}
    assert found["brier"] == pytest.approx((0.01 + 0.25 + 0.36 + 0.01) / 4)


def test_sentences_are_whole_and_cut_and_always_the_same():
    found = cut_sentences()
    assert found == cut_sentences()
    whole = {own.id: own.text for own in found if own.finished}
    for own in found:
        if not own.finished:
            assert len(own.text.split()) < len(whole[own.id.removesuffix("-cut")].split())
    assert {own.language for own in found} == {"deu", "eng", "fra", "ita", "por", "spa"}


def test_phrases_end_with_full_stops_unless_they_ask():
    given = [turn(text, True, source=PHRASES_SOURCE) for text in ("I would", "Why?")]
    assert [own.text for own in phrases([*given, turn("other", True)])] == ["I would.", "Why?"]


def test_languages_with_few_turns_count_in_the_sum_only(tmp_path):
    model = EndOfTurn.load(save_tiny_turn_end(tmp_path / "m"))
    turns = [turn(f"w{n} done", True) for n in range(9)] + [turn(f"w{n} the", False) for n in range(9)]
    rows = rows_of(model, "a", [*turns, turn("Ja", True, "deu")], True)
    assert [row["language"] for row in rows] == ["all", "eng"]
    assert rows[1]["found"] == 1.0


def test_a_run_writes_its_figures(tmp_path, capsys):
    model = save_tiny_turn_end(tmp_path / "m")
    turns = [turn(f"w{n} done", True) for n in range(3)] + [turn(f"w{n} the.", False) for n in range(3)]
    for name, source in (("heard", "a"), ("texts", PHRASES_SOURCE)):
        (tmp_path / name).mkdir()
        write_turns(tmp_path / name / "test.jsonl", [own._replace(source=source) for own in turns])
    main(tmp_path / "heard", tmp_path / "texts", model, tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    rows = {(row["set"], row["language"], row["named"]): row for row in found["results"]}
    assert rows["recognised", "all", True]["roc_area"] == 1.0
    assert rows["recognised", "all", True]["marks_roc_area"] == 0.0
    assert ("recognised", "all", False) in rows
    assert ("phrases", "all", True) in rows
    assert ("sentences", "deu", True) in rows
    assert 0 < found["ms"] < 50
    assert "ms per answer" in capsys.readouterr().out
