"""How good adapters have become: relative gains over languages, and the card of each."""

import json
from pathlib import Path

import pytest

from speech.data.manifest import Utterance
from speech.metrics.edit.alignment import ErrorCounts
from speech.train.adapters.config import AdaptConfig
from speech.train.adapters.report import AdaptReport, adapter_card, draw_scores, less
from speech.train.asr.evaluate import ScoreRow, ScoreTable


def row(errors: int, units: int = 100) -> ScoreRow:
    return ScoreRow(4, ErrorCounts(errors, 0, 0, units), ErrorCounts(errors, 0, 0, 5 * units), 4)


def report() -> AdaptReport:
    tables = {
        "base": ScoreTable({"deu": row(40), "ita": row(20), "lad": row(0)}),
        "common": ScoreTable({"deu": row(30), "ita": row(20), "lad": row(0)}),
        "own": ScoreTable({"deu": row(20), "ita": row(5), "lad": row(3)}),
    }
    return AdaptReport("adapter", 1000, 0.004, {"deu": 2, "ita": 4, "lad": 2}, 2, tables, Path("adapters"))


def test_the_gain_is_the_mean_of_relative_reductions_where_the_base_makes_errors():
    assert less(row(40), row(30)) == pytest.approx(0.25)
    found = report()
    assert found.gain("base") == 0.0
    assert found.gain("common") == pytest.approx((0.25 + 0.0) / 2)
    assert found.gain() == pytest.approx((0.5 + 0.75) / 2)


def test_as_json_it_has_the_gain_of_each_table():
    record = report().to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["gain"] == {"base": 0.0, "common": 0.125, "own": 0.625}
    assert record["steps"] == {"deu": 2, "ita": 4, "lad": 2}
    assert record["test"]["own"]["languages"]["ita"]["wer"] == 0.05


def test_a_card_counts_the_speech_of_its_language_and_names_each_source_once():
    spoken = [
        Utterance(
            id=f"u{n}", audio=Path("a.wav"), duration_s=90.0, language=code, text="x", source="tones", licence="CC0"
        )
        for n, code in enumerate(["ita", "ita", "deu"])
    ]
    card = adapter_card(AdaptConfig(base="models/embedded", language="ita"), "ita", spoken)
    assert card.startswith("# Adapter for Italian (ita)\n")
    assert "3 minutes of speech (2 utterances), behind `embedded`" in card
    assert card.count("| tones | CC0 |") == 1


def test_errors_over_steps_are_drawn(tmp_path):
    scores = {step: {"ita": {"dev_cer": 1 / (step + 1)}} for step in (0, 2, 4)}
    draw_scores(scores, {"ita": 4}, tmp_path / "scores.png")
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")
