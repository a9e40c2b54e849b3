"""Transcripts as data and as subtitles."""

import re

from hypothesis import given
from hypothesis import strategies as st

from speech.transcript import Transcript, Word, join


def transcript(words: list[Word]) -> Transcript:
    return Transcript(join(words), "eng", 0.9, "asr", 100.0, tuple(words))


def test_there_is_no_space_between_words_of_languages_that_write_none():
    said = [("好", "cmn"), ("的", "cmn"), ("ok", "eng"), ("go", None), ("好", "jpn")]
    assert join([Word(text, 0.0, 1.0, 1.0, code) for text, code in said]) == "好的 ok go 好"


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


spoken = st.lists(
    st.tuples(st.text("abcdefgh", min_size=1, max_size=12), st.floats(0.0, 1.5), st.floats(0.02, 1.0)), max_size=60
)


@given(spoken)
def test_cues_hold_every_word_once_in_order_and_never_overlap(parts):
    words, now = [], 0.0
    for text, gap, length in parts:
        words.append(Word(text, now + gap, now + gap + length, 1.0, "eng"))
        now += gap + length
    whole = transcript(words)
    for subtitles, mark in ((whole.to_srt(), ","), (whole.to_vtt(), ".")):
        cues = re.findall(r"(\d\d:\d\d:\d\d[,.]\d{3}) --> (\d\d:\d\d:\d\d[,.]\d{3})\n((?:.+\n)+)", subtitles)
        assert [w for cue in cues for w in cue[2].split()] == [w.text for w in words]
        last = 0.0
        for start, end, text in cues:
            assert mark in start
            assert last <= seconds(start) < seconds(end)
            assert len(text.splitlines()) <= 2
            assert max(map(len, text.splitlines())) <= 42
            assert seconds(end) - seconds(start) <= 7.0 + 0.001
            last = seconds(end)


def test_srt_is_numbered_and_breaks_at_pauses():
    words = [Word("one", 0.0, 0.4, 1.0, "eng"), Word("two", 0.5, 1.0, 1.0, "eng"), Word("three", 3.0, 3.5, 1.0, "eng")]
    assert transcript(words).to_srt() == (
        "1\n00:00:00,000 --> 00:00:01,000\none two\n\n2\n00:00:03,000 --> 00:00:03,500\nthree\n"
    )


def test_a_long_cue_has_two_lines():
    words = [Word("wordword", n * 0.3, n * 0.3 + 0.3, 1.0, "eng") for n in range(9)]
    lines = transcript(words).to_srt().split("\n")[2:4]
    assert all(0 < len(line) <= 42 for line in lines)


def test_a_cue_ends_before_a_third_line_would_begin():
    words = [Word("w" * 20, n * 0.1, n * 0.1 + 0.1, 1.0, "eng") for n in range(5)]
    cues = transcript(words).to_srt().split("\n\n")
    assert [cue.split("\n")[2:] for cue in cues] == [[" ".join(["w" * 20] * 2)] * 2, ["w" * 20, ""]]


def test_a_cue_ends_after_seven_seconds_of_slow_speech():
    words = [Word("so", n * 1.3, n * 1.3 + 0.7, 1.0, "eng") for n in range(6)]
    assert re.findall(r"--> 00:00:(\S+)\n(.*)", transcript(words).to_vtt()) == [
        ("05.900", "so so so so so"),
        ("07.200", "so"),
    ]


def test_a_cue_of_words_that_overlap_the_last_one_waits_for_its_end():
    words = [Word("one", 0.0, 6.9, 1.0, "eng"), Word("two", 6.0, 7.5, 1.0, "eng")]
    assert re.findall(r"(\S+) --> (\S+)", transcript(words).to_vtt()) == [
        ("00:00:00.000", "00:00:06.900"),
        ("00:00:06.900", "00:00:07.500"),
    ]


def test_a_word_without_length_is_still_shown():
    assert "00:00:01.000 --> 00:00:01.020" in transcript([Word("a", 1.0, 1.0, 1.0, "eng")]).to_vtt()


def test_a_word_longer_than_a_line_has_a_cue_of_its_own():
    words = [Word(text, n * 0.1, n * 0.1 + 0.1, 1.0, "eng") for n, text in enumerate(("a", "b" * 50, "c"))]
    assert re.findall(r"^[abc]+$", transcript(words).to_srt(), flags=re.MULTILINE) == ["a", "b" * 50, "c"]


def test_hours_are_written_and_fractions_carry_into_the_next_second():
    assert "01:01:02,000 --> 01:01:03,500" in transcript([Word("a", 3661.9996, 3663.5, 1.0, "eng")]).to_srt()


def test_marks_that_mean_something_in_webvtt_are_escaped_there_only():
    whole = transcript(
        [Word("<b>", 0.0, 0.2, 1.0, "eng"), Word("R&B", 0.2, 0.4, 1.0, "eng"), Word("-->", 0.4, 0.6, 1.0, "eng")]
    )
    assert "\n&lt;b&gt; R&amp;B --&gt;\n" in whole.to_vtt()
    assert "\n<b> R&B -->\n" in whole.to_srt()


def test_nothing_said_is_an_empty_file():
    assert transcript([]).to_srt() == ""
    assert transcript([]).to_vtt() == "WEBVTT\n"


def test_characters_stand_together_without_spaces():
    words = [Word("你", 0.0, 0.2, 1.0, "cmn"), Word("好", 0.2, 0.4, 1.0, "cmn")]
    assert "你好" in transcript(words).to_vtt()


def test_data_names_seconds_and_rounds_to_milliseconds():
    record = transcript([Word("one", 0.12345, 0.4, 0.98765, "eng")]).to_dict()
    assert record["words"] == [
        {"text": "one", "start": 0.123, "end": 0.4, "confidence": 0.9877, "language": "eng"},
    ]
    assert record["duration"] == 100.0
    assert record["task"] == "asr"
