"""Figures of spoken texts: ratios of sums over the texts that have them."""

from __future__ import annotations

import pytest

from speech.metrics.edit.runs import EditRun
from speech.metrics.speech_quality.figures import SPEECH_FIGURES, SpokenMeasures, speech_figures
from speech.metrics.speech_quality.pauses import Pauses

SKIP = EditRun("delete", 0, ("a", "b", "c", "d"))
SPOKEN = [
    SpokenMeasures(10, 40, Pauses(5.0, (0.5, 1.5)), skipped=[SKIP], judged={"distillmos": 4.0}),
    SpokenMeasures(6, 20, Pauses(3.0, ()), repeated=[SKIP, SKIP], judged={"distillmos": 3.0, "similarity": 0.5}),
    SpokenMeasures(4, 9, Pauses(0.0, ())),
]


def test_figures_are_over_those_texts_that_have_them():
    found = speech_figures(SPOKEN, "recognizer:r", {"distillmos": "distillmos:1"})
    assert {name: figure.over(range(3)) for name, figure in found.items()} == pytest.approx(
        {"skips": 1 / 3, "repeats": 2 / 3, "words_per_s": 2.0, "symbols_per_s": 7.5, "pauses": 2 / 3,
         "pause_share": 0.25, "longest_pause_s": 0.5, "similarity": 0.5, "distillmos": 3.5}
    )  # fmt: skip
    assert found["words_per_s"].each == (2.0, 2.0, None)
    assert found["similarity"].each == (None, 0.5, None)
    assert found["similarity"].over([0, 2]) is None
    assert (found["skips"].signature, found["distillmos"].signature) == ("recognizer:r", "distillmos:1")
    assert [name for name in SPEECH_FIGURES if name in found] == list(found)


def test_what_nobody_asked_for_is_left_out():
    assert not {"dnsmos", "similarity", "distillmos"} & speech_figures(SPOKEN[2:], "r", {}).keys()
