"""Files that were joined are read whole, files that were cut off are refused, in every container."""

import contextlib
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio.input.files import load_audio, probe
from speech.errors import AudioError
from tests.audio.made import RATE, heard, muxed, tone, written

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"}


def boxes(mp4: bytes) -> dict[bytes, bytes]:
    found, place = {}, 0
    while place < len(mp4):
        count = int.from_bytes(mp4[place : place + 4])
        found[mp4[place + 4 : place + 8]] = mp4[place : place + count]
        place += count
    return found


def table_first(mp4: bytes) -> bytes:
    """The table of samples in front of them, as for downloads; its offsets grow by its own length."""
    parts = boxes(mp4)
    table = bytearray(parts[b"moov"])
    place = table.index(b"stco") + 8
    for number in range(int.from_bytes(table[place : place + 4])):
        at = place + 4 + 4 * number
        table[at : at + 4] = (int.from_bytes(table[at : at + 4]) + len(table)).to_bytes(4)
    rest = [content for name, content in parts.items() if name not in (b"ftyp", b"moov")]
    return b"".join([parts[b"ftyp"], bytes(table), *rest])


MP4 = muxed("mp4", "aac", (tone(4.0), 0))

FILES = {
    **{kind.lower(): written(tone(4.0), kind) for kind in ("WAV", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC", "OGG")},
    "opus": written(tone(4.0), "OGG", subtype="OPUS"),
    "mp3": written(tone(4.0), "MP3"),
    "mp3_without_count": muxed("mp3", "libmp3lame", (tone(4.0), 0), options={"write_xing": "0"}),
    "mp2": muxed("mp2", "mp2", (tone(4.0, 48_000), 0), rate=48_000),
    "adts": muxed("adts", "aac", (tone(4.0), 0)),
    "mp4": MP4,
    "mp4_table_first": table_first(MP4),
    "mp4_fragments": muxed("mp4", "aac", (tone(4.0), 0), options=FRAGMENTS),
    "mov": muxed("mov", "aac", (tone(4.0), 0)),
    "mkv": muxed("matroska", "aac", (tone(4.0), 0)),
    "webm": muxed("webm", "libopus", (tone(4.0, 48_000), 0), rate=48_000),
    "webm_live": muxed("webm", "libopus", (tone(4.0, 48_000), 0), rate=48_000, options={"live": "1"}),
    "mpegts": muxed("mpegts", "aac", (tone(4.0), 0)),
    "flv": muxed("flv", "aac", (tone(4.0, 44_100), 0), rate=44_100),
    "avi": muxed("avi", "mp2", (tone(4.0, 48_000), 0), rate=48_000, video_s=4.0),
    "ogg_flac": muxed("oga", "flac", (tone(4.0), 0)),
}

PROMISED = {"wav", "rf64", "w64", "aiff", "caf", "au", "flac", "mp3"}
"""The header tells how much there is, so that half a second less is a warning."""


@pytest.mark.parametrize("kind", FILES)
def test_a_whole_file_is_read(kind: str) -> None:
    assert len(load_audio(FILES[kind])) / RATE == pytest.approx(4.0, abs=0.11)  # encoders fill their last frame


@pytest.mark.parametrize("kind", FILES)
def test_a_file_put_behind_another_is_read_too(kind: str) -> None:
    once, twice = load_audio(FILES[kind]), load_audio(FILES[kind] * 2)
    assert len(twice) == pytest.approx(2 * len(once), abs=2)
    assert heard(twice)[-1][1] > 7.9
    assert probe(FILES[kind] * 2).duration_s == pytest.approx(8.0, abs=0.3) or kind in {"mpegts", "avi", "webm_live"}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_cut_off_is_refused(kind: str) -> None:
    content = FILES[kind]
    for place in np.random.default_rng(1).integers(len(content) // 4, int(len(content) * 0.75), 8):
        if kind == "mpegts" and place % 188 == 0:
            continue
        with pytest.raises(AudioError, match=r"cut off|not audio|no samples|box"):
            load_audio(content[:place])


@pytest.mark.parametrize("kind", sorted(PROMISED - {"flac"}))
def test_a_file_that_lacks_its_last_moment_is_read_with_a_warning(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    content = FILES[kind]
    assert 3.5 < len(load_audio(content[: int(0.95 * len(content))])) / RATE < 3.97
    assert "missing" in caplog.text


def test_links_of_another_rate_and_other_channels_keep_their_times() -> None:
    stereo = np.stack([tone(1.0, 44_100)] * 2, axis=1)
    for kind in ("WAV", "FLAC", "OGG"):
        joined = written(np.concatenate([tone(1.0), 0 * tone(1.0)]), kind) + written(stereo, kind, 44_100)
        spans = heard(load_audio(joined))
        assert spans[0] == pytest.approx((0.0, 1.0), abs=0.01)
        assert spans[-1] == pytest.approx((2.0, 3.0), abs=0.01)


def test_flac_whose_count_lies_is_read_to_its_end_or_refused() -> None:
    content = bytearray(FILES["flac"])
    for count, match in ((RATE, None), (9 * RATE, r"4\.00 s of 9\.00 s")):
        content[22:26] = count.to_bytes(4)
        if match is None:
            assert len(load_audio(bytes(content))) == 4 * RATE
        else:
            with pytest.raises(AudioError, match=match):
                load_audio(bytes(content))


@pytest.mark.parametrize("kind", ["flac", "ogg", "opus", "mp4", "mkv", "mp3", "adts"])
def test_damage_in_the_middle_is_refused(kind: str) -> None:
    content = bytearray(FILES[kind])
    half = len(content) // 2
    content[half : half + len(content) // 4] = np.random.default_rng(0).bytes(len(content) // 4)
    with pytest.raises(AudioError, match=r"damaged|cut off|not audio"):
        load_audio(bytes(content))


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(sorted(FILES)), seed=st.integers(0, 1 << 32), many=st.integers(1, 200))
def test_whatever_the_bytes_the_file_is_read_or_refused(kind: str, seed: int, many: int) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray(FILES[kind][:20_000])
    for place in rng.integers(0, len(content), many):
        content[place] = rng.integers(256)
    with contextlib.suppress(AudioError):
        assert np.isfinite(load_audio(bytes(content), max_s=60)).all()


def test_a_stream_without_its_end_mark_is_read_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    content = FILES["opus"]
    last = content.rindex(b"OggS")
    with caplog.at_level(logging.WARNING, "speech.audio"):
        assert len(load_audio(content[:last])) > 0
    assert "without the mark of its end" in caplog.text
