"""The benchmark of word times: distances are those of words, and other words are left out."""

from __future__ import annotations

from spoken_times import distances, figures

from speech.transcript import Word
from speech.tts.speech_stream import SaidWord


def said(*spans: tuple[float, float]) -> list[SaidWord]:
    return [SaidWord("w", start, end, 0, 1) for start, end in spans]


def aligned(*spans: tuple[float, float]) -> list[Word]:
    return [Word("w", start, end, 1.0, "eng") for start, end in spans]


def test_distances_of_begins_and_ends():
    found = distances(said((0, 1), (1, 2)), aligned((0.25, 1), (1, 1.5)))
    assert found == [(0.25, 0), (0, 0.5)]
    assert distances(said((0, 1)), aligned((0, 1), (1, 2))) is None


def test_figures_are_in_milliseconds_and_count_what_is_left_out():
    row = figures("eng", [[(0.02, 0.1), (0.04, 0.3), (0.06, 0.5)], None])
    assert row == {
        "language": "eng", "words": 3, "left_out": 1, "begin_median_ms": 40, "begin_p95_ms": 58, "end_median_ms": 300,
        "end_p95_ms": 480,
    }  # fmt: skip
    assert figures("deu", [None]) == {"language": "deu", "words": 0, "left_out": 1}
