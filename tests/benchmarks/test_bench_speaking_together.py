"""The benchmark of texts at once: gaps are those of playback, and each number of streams and way has a row."""

from __future__ import annotations

import json

from speaking_together import WAYS, Gaps, Packet, at_once, figures, gaps, main, measure, table

from speech.speaker import Speaker
from tests.tiny_voice import save_tiny_voice
from tests.tts.counting import CountingSynthesizer, LetterPronouncer


def test_a_gap_is_a_packet_that_playback_has_to_wait_for():
    assert gaps([]) == gaps([Packet(3, 1), Packet(4, 1), Packet(4.5, 2), Packet(7, 1)]) == Gaps(0, 0)
    assert gaps([Packet(3, 1), Packet(4.5, 1), Packet(5.25, 1), Packet(7, 1)]) == Gaps(2, 1.0)


def test_figures_of_rounds():
    rounds = [[[Packet(0.1, 1), Packet(1.5, 1)], [Packet(0.3, 2)]], [[Packet(0.2, 2)], [Packet(0.2, 2)]]]
    assert figures("apart", rounds) == {
        "streams": 2, "way": "apart", "first_p50_ms": 200, "first_p95_ms": 285, "rtf": 0.212, "stream_rtf_p50": 0.125,
        "packets": 5, "gaps": 1, "gap_s": 0.4, "audio_s": 8,
    }  # fmt: skip


def test_calls_begin_at_once():
    began = []
    found = at_once([lambda at, number=number: began.append(at) or [Packet(number, 1)] for number in range(3)])
    assert found == [[Packet(number, 1)] for number in range(3)]
    assert len({*began}) == 1
    assert len(began) == 3


def test_each_number_of_streams_and_way_has_a_row():
    speakers = [Speaker(CountingSynthesizer(), LetterPronouncer()) for _ in range(2)]
    rows = measure(speakers, ["Hello there.", "It is late, Anna."], "eng", [1, 2], rounds=2)
    assert [(row["streams"], row["way"]) for row in rows] == [(count, way) for count in (1, 2) for way in WAYS]
    for count in (1, 2):
        assert len({row["audio_s"] for row in rows if row["streams"] == count}) == 1  # the same is said in each way
    assert all(0 < row["first_p50_ms"] / 1000 < 60 and row["rtf"] > 0 for row in rows if row["first_p50_ms"])
    assert table(rows).row_count == 6


def test_a_model_is_measured_and_the_figures_are_written(tmp_path):
    voice = save_tiny_voice(tmp_path / "voice")
    main(str(voice), "eng", "2", 1, 1, "cpu", tmp_path / "x.json")
    record = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert [row["way"] for row in record["rows"]] == list(WAYS)
    assert record["voice"] == "voice"
    assert all(row["packets"] > 2 for row in record["rows"])
