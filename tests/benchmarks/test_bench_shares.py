from collections import Counter
from pathlib import Path

import pytest
from shares import CTC, READING, STEPS, joined, shares, steps
from timing import Stopwatch

from speech.data.manifest import Utterance


def clip(number: int, seconds: float, language: str = "eng") -> Utterance:
    return Utterance(id=f"{number}", audio=Path("a"), duration_s=seconds, language=language, text="", source="s")


def test_windows_are_filled_with_clips_of_one_language_and_short_ones_left_out():
    clips = [clip(0, 12.0), clip(1, 20.0, "fra"), clip(2, 14.0), clip(3, 9.0), clip(4, 3.0, "fra")]
    assert [[c.id for c in window] for window in joined(clips, 5)] == [["0", "2"]]
    assert joined(clips, 0) == []


def watch() -> Stopwatch:
    made = Stopwatch()
    made.seconds |= {READING: 1.0, CTC: 2.0, STEPS: 5.0}
    return made


def test_shares_of_parts_add_up_to_all():
    found = shares(watch(), {CTC: 0.5, STEPS: 1.5}, 10.0)
    assert sum(one["share"] for name, one in found.items() if name != "all") == pytest.approx(1)
    assert found[CTC] == {"rtf": 0.2, "share": 0.25, "limit_rtf": 0.05}
    assert found["all"] == {"rtf": 0.8, "share": 1.0, "limit_rtf": 0.2}


def test_a_step_is_told_in_milliseconds_beside_its_limit():
    assert steps(watch(), Counter({"steps": 100, STEPS: 450}), {STEPS: 1.5}) == {
        "steps": 100, "hypotheses a step": 4.5, "ms": 50.0, "limit_ms": 15.0,
    }  # fmt: skip
    assert steps(watch(), Counter(), {}) == {}
