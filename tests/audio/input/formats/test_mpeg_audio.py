"""MP3 and ADTS: every frame is read, whatever stands between them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speech.audio.input.files import load_audio, probe
from speech.audio.input.formats.mpeg_audio import frame_head
from speech.errors import AudioError
from tests.audio.made import RATE, heard, muxed, tone, written

MP3 = written(tone(4.0), "MP3")
BARE = {"write_xing": "0", "id3v2_version": "0"}
WITHOUT_COUNT = muxed("mp3", "libmp3lame", (tone(4.0), 0), options=BARE)
ADTS = muxed("adts", "aac", (tone(4.0), 0))
ID3 = b"ID3\x04\0\0\0\0\x02\0" + bytes(256)
TAG = b"TAG" + b"x" * 125
APE = b"APETAGEX" + (2000).to_bytes(4, "little") + (44).to_bytes(4, "little") + bytes(16) + b"x" * 12


def frames(content: bytes) -> list[bytes]:
    found, place = [], 0
    while (head := frame_head(content, place)) is not None:
        found.append(content[place : place + head.size])
        place += head.size
    return found


def test_frames_have_the_size_that_their_head_tells() -> None:
    for content, codec, samples in ((WITHOUT_COUNT, "mp3float", 576), (ADTS, "aac", 1024)):
        found = frames(content)
        assert sum(map(len, found)) == len(content)
        head = frame_head(found[0])
        assert head is not None
        assert (head.codec, head.rate, head.channels, head.samples) == (codec, RATE, 1, samples)


@pytest.mark.parametrize("place", range(4))
def test_no_other_bytes_are_a_head(place: int) -> None:
    head = bytearray(frames(WITHOUT_COUNT)[0][:7])
    head[place] = (0, 0x1F, 0xFF, 0x02)[place]
    assert frame_head(head) is None or place == 3


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_the_encoders_own_samples_are_left_out_as_libsndfile_does(rate: int) -> None:
    content = written(tone(2.0, rate), "MP3", rate)
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    found = load_audio(content)
    assert len(found) == pytest.approx(2 * RATE, abs=2)
    if rate == RATE:
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("between", [b"", ID3, TAG, APE, TAG + ID3, bytes(5000)])
@pytest.mark.parametrize("content", [MP3, WITHOUT_COUNT, ADTS], ids=["mp3", "without count", "adts"])
def test_joined_files_are_read_over_tags_and_padding(content: bytes, between: bytes) -> None:
    once = load_audio(content)
    joined = load_audio(ID3 + content + between + content + TAG)
    assert len(joined) == pytest.approx(2 * len(once), abs=1)
    assert heard(joined)[-1][1] > 7.9


def test_rate_and_channels_may_change_from_one_file_to_the_next() -> None:
    second = np.concatenate([tone(1.0, 44_100), 0 * tone(1.0, 44_100), tone(1.0, 44_100)])
    stereo = written(np.stack([second, second], axis=1), "MP3", 44_100)
    found = load_audio(written(tone(4.0), "MP3") + stereo)
    assert heard(found) == [pytest.approx((0.0, 5.0), abs=0.01), pytest.approx((6.0, 7.0), abs=0.01)]
    cut = frames(WITHOUT_COUNT)[:50] + frames(
        muxed("mp3", "libmp3lame", (tone(2.0, 48_000), 0), rate=48_000, options=BARE)
    )
    assert len(load_audio(b"".join(cut))) / RATE == pytest.approx(50 * 0.036 + 2.0, abs=0.06)  # the encoder fills up


def test_a_count_that_is_too_small_ends_nothing() -> None:
    count = MP3.index(b"Xing") + 8
    told = int.from_bytes(MP3[count : count + 4])
    small = MP3[:count] + (told // 2).to_bytes(4) + MP3[count + 4 :]
    assert len(load_audio(small)) >= 4 * RATE
    large = MP3[:count] + (told * 2).to_bytes(4) + MP3[count + 4 :]
    with pytest.raises(AudioError, match=r"is cut off: 4\.\d\d s of 8\.\d\d s can be read"):
        load_audio(large)


def test_a_file_that_ends_within_a_frame_is_refused_and_one_that_begins_within_is_read() -> None:
    for content in (WITHOUT_COUNT, ADTS):
        for missing in (1, 20, 60):
            with pytest.raises(AudioError, match="cut off: it ends within a frame"):
                load_audio(content[:-missing])
        assert len(load_audio(content[37:])) / RATE == pytest.approx(4.0, abs=0.15)


def test_a_little_that_is_no_frame_is_said_and_much_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    found = frames(WITHOUT_COUNT)
    few = b"".join([*found[:40], b"\x01" * 300, *found[40:]])
    assert len(load_audio(few)) == len(load_audio(WITHOUT_COUNT))
    assert "neither frames nor tags" in caplog.text
    with pytest.raises(AudioError, match="neither a frame nor a tag"):
        load_audio(b"".join([*found[:40], b"\x01" * 9000, *found[40:]]))


def test_frames_that_are_counted_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(WITHOUT_COUNT)
    info = probe(path)
    assert (info.format, info.rate, info.channels) == ("mp3", RATE, 1)
    assert info.duration_s == pytest.approx(len(load_audio(path)) / RATE)
