"""Transcripts as data and as subtitles."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.text.display_width import columns
from speech.transcript import SubtitleStyle, Transcript, Word, join, plain_words


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
        "1\n00:00:00,000 --> 00:00:01,000\none two\n\n2\n00:00:03,000 --> 00:00:03,833\nthree\n"
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
        ("07.333", "so"),
    ]


def test_a_cue_of_words_that_overlap_the_last_one_waits_for_its_end():
    words = [Word("one", 0.0, 6.9, 1.0, "eng"), Word("two", 6.0, 7.5, 1.0, "eng")]
    assert re.findall(r"(\S+) --> (\S+)", transcript(words).to_vtt()) == [
        ("00:00:00.000", "00:00:06.900"),
        ("00:00:06.900", "00:00:07.733"),
    ]


def test_a_word_without_length_is_still_shown():
    assert "00:00:01.000 --> 00:00:01.833" in transcript([Word("a", 1.0, 1.0, 1.0, "eng")]).to_vtt()


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


def times(subtitles: str) -> list[tuple[float, float]]:
    return [(seconds(a), seconds(b)) for a, b in re.findall(r"(\S+) --> (\S+)", subtitles)]


def test_a_short_cue_stays_while_the_pause_leaves_room_and_no_longer():
    words = [Word("a", 1.0, 1.2, 1.0, "eng"), Word("b", 4.0, 4.2, 1.0, "eng"), Word("c", 5.05, 5.1, 1.0, "eng")]
    assert times(transcript(words).to_srt()) == [(1.0, 1.833), (4.0, 4.833), (5.05, 5.883)]
    close = [Word("a", 1.0, 1.2, 1.0, "eng"), Word("b" * 84, 1.3, 1.5, 1.0, "eng")]
    assert times(transcript(close).to_srt())[0] == (1.0, 1.3)


def test_a_cue_stays_for_as_long_as_it_takes_to_read():
    words = [Word("w" * 9, 1.0, 1.1, 1.0, "eng"), Word("w" * 10, 1.1, 1.2, 1.0, "eng")]
    assert times(transcript(words).to_srt()) == [(1.0, 2.0)]
    assert times(transcript(words).to_srt(SubtitleStyle(max_cps=10))) == [(1.0, 3.0)]
    wide = [Word(text, 1.0, 1.1, 1.0, "cmn") for text in "你好" * 10]  # two columns each
    assert times(transcript(wide).to_srt()) == [(1.0, 3.0)]


scripts = st.one_of(
    st.tuples(st.text("abcdefghé́", min_size=1, max_size=12).filter(str.isalpha), st.just("eng")),
    st.tuples(st.sampled_from([*"你好。「」", "𠀀"]), st.just("cmn")),
    st.tuples(st.sampled_from([*"コーヒャ", "コーヒー"]), st.just("jpn")),
)
styles = st.builds(
    SubtitleStyle,
    max_line_width=st.integers(14, 60), max_lines=st.integers(1, 4), max_cps=st.floats(1.0, 50.0),
    highlight_words=st.booleans(),
)  # fmt: skip


@given(st.lists(st.tuples(scripts, st.floats(0.0, 1.5), st.floats(0.0, 1.0)), max_size=60), styles)
def test_every_style_keeps_order_words_width_and_lines(parts, style):
    words, now = [], 0.0
    for (text, language), gap, length in parts:
        words.append(Word(text, now + gap, now + gap + length, 1.0, language))
        now += gap + length
    whole, last, said = transcript(words), 0.0, ""
    for start, end, text in whole.cues(style):
        assert last <= start < end
        last, lines = end, text.split("\n")
        assert 1 <= len(lines) <= style.max_lines
        assert all(0 < columns(line) <= style.max_line_width for line in lines)
        assert not any(line[0] in "。」ーャ" for line in lines[1:])
        assert not any(line[-1] == "「" for line in lines[:-1])
        said += text
    assert re.sub(r"\s", "", said) == re.sub(r"\s", "", whole.text)
    shown = times(whole.to_srt(style))
    assert all(a < b for a, b in shown)
    assert all(one[1] <= other[0] for one, other in pairwise(shown))
    plain = [*whole.cues(style)]
    assert (shown[0][0], shown[-1][1]) == pytest.approx((plain[0][0], plain[-1][1]), abs=0.001) if plain else not shown
    assert all(block.split("\n", 2)[2].strip() for block in whole.to_srt(style).split("\n\n") if block)


def test_words_are_underlined_while_they_are_said():
    words = [Word("one", 1.0, 1.4, 1.0, "eng"), Word("R&B", 1.5, 2.2, 1.0, "eng")]
    style = SubtitleStyle(highlight_words=True, max_line_width=5)
    assert re.findall(r"(\S+) --> (\S+)\n((?:.+\n)+)", transcript(words).to_vtt(style)) == [
        ("00:00:01.000", "00:00:01.400", "<u>one</u>\nR&amp;B\n"),
        ("00:00:01.400", "00:00:01.500", "one\nR&amp;B\n"),
        ("00:00:01.500", "00:00:02.200", "one\n<u>R&amp;B</u>\n"),
    ]


def test_lines_are_measured_in_columns_and_may_be_several():
    words = [Word(text, n * 0.1, n * 0.1 + 0.1, 1.0, "cmn") for n, text in enumerate("你" * 21)]
    assert len(next(transcript(words).cues())[2].split("\n")) == 1
    words.append(Word("好", 2.1, 2.2, 1.0, "cmn"))
    assert len(next(transcript(words).cues())[2].split("\n")) == 2
    ((_, _, text),) = transcript(words).cues(SubtitleStyle(max_line_width=16, max_lines=3))
    assert [columns(line) for line in text.split("\n")] == [14, 14, 16]


def test_blank_lines_end_no_cue():
    words = [
        Word("a\n\nb", 0.0, 1.0, 1.0, "eng"),
        Word("\u2028", 1.0, 1.1, 1.0, "eng"),
        Word("c", 1.1, 2.0, 1.0, "eng"),
    ]
    assert transcript(words).to_srt() == "1\n00:00:00,000 --> 00:00:02,000\na b c\n"


@pytest.mark.parametrize(
    "wrong", [{"max_line_width": 1}, {"max_lines": 0}, {"max_cps": 0.0}, {"max_cps": float("nan")}], ids=str
)
def test_a_style_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError, match="Give"):
        SubtitleStyle(**wrong)


def test_nothing_said_has_no_language_and_no_probability():
    record = Transcript("", "und", None, "asr", 1.0, ()).to_dict()
    assert (record["language"], record["language_probability"]) == ("und", None)


def test_plain_words_have_no_signs_and_those_of_signs_alone_are_left_out():
    said = [
        Word("Hello,", 0.0, 1.0, 0.9, "eng"),
        Word("--", 1.0, 1.1, 0.9, "eng"),
        Word("World!", 1.1, 2.0, 0.9, "eng"),
    ]
    assert [(word.text, word.start_s) for word in plain_words(said)] == [("hello", 0.0), ("world", 1.1)]
