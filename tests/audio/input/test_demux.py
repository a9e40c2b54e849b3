"""Tracks and times of containers."""

from __future__ import annotations

import io

import av
import pytest

from speech.audio.input.files import load_audio, probe, stream_audio
from speech.errors import AudioError
from tests.audio.made import RATE, heard, muxed, tone, written

TWO = [(tone(2.0, hz=300.0), 0.0), (tone(3.0, hz=600.0), 0.0)]
FILMS = [
    ("mp4", "aac", RATE),
    ("mov", "aac", 44_100),
    ("matroska", "aac", RATE),
    ("matroska", "libopus", 48_000),
    ("matroska", "pcm_s16le", RATE),
    ("mp4", "libopus", 48_000),
    ("mpegts", "aac", 48_000),
    ("mpegts", "mp2", 48_000),
]


@pytest.mark.parametrize("format", ["mp4", "matroska"])
@pytest.mark.parametrize(("default", "track", "seconds"), [(1, None, 3), (0, None, 2), (1, 0, 2), (0, 1, 3)])
def test_the_default_track_is_read_or_the_one_that_is_asked_for(
    format: str, default: int, track: int | None, seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    content = muxed(format, "aac", *TWO, default=default)
    assert len(load_audio(content, track=track, name="film")) / RATE == pytest.approx(seconds, abs=0.1)
    said = f"film: has 2 audio tracks, took track {default}, the default; --track chooses"
    assert caplog.messages == ([said] if track is None else [])
    assert probe(content).tracks == 2


def test_without_a_default_the_first_track_is_read(caplog: pytest.LogCaptureFixture) -> None:
    assert len(load_audio(muxed("mpegts", "aac", *TWO))) / RATE == pytest.approx(2.0, abs=0.15)
    assert "took track 0, the first" in caplog.text


def test_a_track_that_is_not_there_is_refused() -> None:
    with pytest.raises(AudioError, match="film: has no track 2, it has 2"):
        load_audio(muxed("mp4", "aac", *TWO), track=2, name="film")
    for content in (written(tone(1.0)), written(tone(1.0), "MP3"), written(tone(1.0), "FLAC")):
        with pytest.raises(AudioError, match="has no track 1, it has 1"):
            load_audio(content, track=1)
        assert len(load_audio(content, track=0)) == RATE


@pytest.mark.parametrize(("format", "codec", "rate"), FILMS)
def test_sound_and_picture_that_begin_together_are_as_long_as_ffmpeg_makes_them(
    format: str, codec: str, rate: int
) -> None:
    content = muxed(format, codec, (tone(4.0, rate), 0), rate=rate, video_s=4.0)
    with av.open(io.BytesIO(content)) as container:
        expected = sum(frame.samples for frame in container.decode(audio=0)) / rate
    assert len(load_audio(content)) / RATE == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(("format", "codec", "rate"), FILMS)
def test_a_late_beginning_and_a_gap_are_silence(format: str, codec: str, rate: int) -> None:
    late = load_audio(muxed(format, codec, (tone(4.0, rate), 5.0), rate=rate, video_s=10.0))
    assert heard(late) == [pytest.approx((5.0, 9.0), abs=0.03)]
    gap = load_audio(muxed(format, codec, (tone(4.0, rate), 0), rate=rate, video_s=4.0, gap=(2.0, 3.0)))
    spans = heard(gap)
    assert spans[0] == pytest.approx((0.0, 2.0), abs=0.08)
    assert spans[-1] == pytest.approx((5.0, 7.0), abs=0.08)


def test_a_file_of_sound_alone_begins_with_it() -> None:
    assert heard(load_audio(muxed("matroska", "aac", (tone(2.0), 7.0)))) == [pytest.approx((0.0, 2.0), abs=0.05)]


def test_a_track_that_begins_behind_another_begins_with_silence() -> None:
    content = muxed("matroska", "aac", (tone(4.0), 0.0), (tone(1.0), 2.0), default=0)
    assert heard(load_audio(content, track=1)) == [pytest.approx((2.0, 3.0), abs=0.05)]


def test_a_gap_of_hours_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    samples = load_audio(muxed("matroska", "aac", (tone(4.0), 0), gap=(2.0, 40_000.0)))
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.1)
    assert "its times leave out 40000 s after 2.0 s, which is not believed" in caplog.text


def test_silence_counts_for_the_limit_and_comes_in_blocks() -> None:
    content = muxed("matroska", "aac", (tone(2.0), 0), gap=(1.0, 3000.0))
    with pytest.raises(AudioError, match="has more than 60 s"):
        load_audio(content, max_s=60)
    longest = max(map(len, stream_audio(content, block_s=5.0)))
    assert longest <= 6 * RATE


def test_times_that_go_back_lose_no_samples() -> None:
    content = muxed("mpegts", "aac", (tone(2.0), 0)) * 2
    assert len(load_audio(content)) / RATE == pytest.approx(4.0, abs=0.3)


def test_half_a_second_that_cannot_be_decoded_is_silence_and_more_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    content = muxed("matroska", "aac", (tone(4.0), 0))
    with av.open(io.BytesIO(content)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    few, many = bytearray(content), bytearray(content)
    for hurt, count in ((few, 3), (many, 20)):
        for place, size in places[20 : 20 + count]:
            hurt[place + 8 : place + size] = b"\xff" * (size - 8)
    samples = load_audio(bytes(few))
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.1)
    assert "s cannot be decoded, silence takes their place" in caplog.text
    assert len(heard(samples)) == 2
    with pytest.raises(AudioError, match="is damaged after"):
        load_audio(bytes(many))
