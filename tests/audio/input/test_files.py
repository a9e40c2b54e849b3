"""Every way a file can be, and what comes of it."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio, probe, stream_audio, to_mono_16k
from speech.errors import AudioError


def tone(duration_s: float, rate: int = SAMPLE_RATE, hz: float = 440.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(duration_s * rate)) / rate)).astype(np.float32)


def noise(duration_s: float, rate: int = SAMPLE_RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(duration_s * rate))).astype(np.float32)


def encoded(samples: np.ndarray, rate: int = SAMPLE_RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind, subtype=subtype)
    return out.getvalue()


def muxed(path: Path, samples: np.ndarray, codec: str) -> Path:
    """Stereo at 48 kHz in a container that libsndfile does not know: the tone left, silence right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([samples, 0 * samples]), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        context = stream.codec_context
        resampler = av.AudioResampler(context.format.name, "stereo", 48_000, frame_size=context.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def test_a_float_wav_at_16_khz_comes_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(noise(1.0), subtype="FLOAT"))
    loaded = load_audio(path)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, noise(1.0))


def test_a_file_is_read_at_the_rate_that_is_asked_for() -> None:
    content = encoded(noise(1.0, rate=22050), rate=22050, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(content, rate=22050), noise(1.0, rate=22050))
    high = load_audio(encoded(tone(1.0, rate=48000, hz=9000), rate=48000, subtype="FLOAT"), rate=24000)
    assert len(high) == 24000
    np.testing.assert_allclose(high[500:-500], tone(1.0, rate=24000, hz=9000)[500:-500], atol=1e-3)
    assert len(np.concatenate(list(stream_audio(content, rate=8000, block_s=0.1)))) == 8000


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_path_bytes_and_open_file_give_the_same_samples(kind: str, tmp_path: Path) -> None:
    content = encoded(tone(1.0), kind=kind)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(content)
    with path.open("rb") as file:
        loaded = [load_audio(path), load_audio(str(path)), load_audio(content), load_audio(file)]
    assert len(loaded[0]) == SAMPLE_RATE
    assert np.corrcoef(loaded[0], tone(1.0))[0, 1] > 0.99
    for other in loaded[1:]:
        np.testing.assert_array_equal(other, loaded[0])


class Pipe(io.RawIOBase):
    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._inner.readinto(buffer)


def test_a_pipe_that_cannot_seek_is_read() -> None:
    np.testing.assert_array_equal(load_audio(Pipe(encoded(noise(0.5), subtype="FLOAT"))), noise(0.5))


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_any_rate_becomes_16_khz_with_the_tone_where_it_was(rate: int) -> None:
    loaded = load_audio(encoded(tone(2.0, rate), rate, subtype="FLOAT"))
    assert abs(len(loaded) - 2 * SAMPLE_RATE) <= 1
    inner = slice(SAMPLE_RATE // 2, 3 * SAMPLE_RATE // 2)
    np.testing.assert_allclose(loaded[inner], tone(2.0)[inner], atol=2e-3)


def test_six_channels_are_mixed_equally_or_one_is_chosen() -> None:
    surround = np.stack([np.full(1600, 0.1 * k, np.float32) for k in range(6)], axis=1)
    content = encoded(surround, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(content), 0.25, atol=1e-6)
    np.testing.assert_allclose(load_audio(content, channel=4), 0.4, atol=1e-6)
    assert probe(content).channels == 6


@pytest.mark.parametrize("channel", [-1, 2])
def test_a_channel_out_of_range_is_refused_with_the_number_there_is(channel: int) -> None:
    with pytest.raises(AudioError, match=f"no channel {channel}, it has 2"):
        load_audio(encoded(np.zeros((100, 2), np.float32)), channel=channel)


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.mp4", "aac"), ("a.webm", "libopus")])
def test_containers_beyond_libsndfile_are_decoded(name: str, codec: str, tmp_path: Path) -> None:
    path = muxed(tmp_path / name, tone(2.0, 48_000), codec)
    left, right, mix = load_audio(path, channel=0), load_audio(path, channel=1), load_audio(path)
    assert abs(len(left) - 2 * SAMPLE_RATE) < 0.05 * SAMPLE_RATE
    inner = slice(SAMPLE_RATE // 2, 3 * SAMPLE_RATE // 2)
    assert np.sqrt(np.mean(left[inner] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert np.abs(right[inner]).max() < 0.01
    np.testing.assert_allclose(mix, (left + right) / 2, atol=1e-5)
    info = probe(path)
    assert (info.rate, info.channels) == (48_000, 2)
    assert info.duration_s == pytest.approx(2.0, abs=0.1)


def test_containers_beyond_libsndfile_stream_in_blocks_too(tmp_path: Path) -> None:
    path = muxed(tmp_path / "a.m4a", tone(3.0, 48_000), "aac")
    blocks = list(stream_audio(path, block_s=0.5))
    assert all(len(block) <= 0.6 * SAMPLE_RATE for block in blocks)
    np.testing.assert_allclose(np.concatenate(blocks), load_audio(path), atol=1e-6)


def test_a_silent_file_is_zeros() -> None:
    np.testing.assert_array_equal(load_audio(encoded(np.zeros(1600, np.float32))), np.zeros(1600, np.float32))


@pytest.mark.parametrize("kind", ["WAV", "OGG"])
def test_a_file_without_samples_is_refused(kind: str) -> None:
    with pytest.raises(AudioError, match="no samples"):
        load_audio(encoded(np.zeros(0, np.float32), kind=kind))


def test_a_file_without_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match=r"a\.wav: has no samples"):
        load_audio(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="no samples"):
        load_audio(b"")


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)])
def test_a_whole_mp3_is_read_with_and_without_a_tag_in_front(tag: bytes) -> None:
    assert len(load_audio(tag + encoded(noise(2.0), kind="MP3"))) == pytest.approx(32_000, abs=2400)


def test_less_than_one_sample_at_16_khz_is_refused() -> None:
    with pytest.raises(AudioError, match="no samples at 16000 Hz"):
        load_audio(encoded(np.zeros(1, np.float32), 48_000))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3"])
def test_a_truncated_file_says_how_much_was_read_of_how_much(kind: str, tmp_path: Path) -> None:
    content = encoded(noise(4.0), kind=kind)
    path = tmp_path / "cut"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"cut: is cut off: (1\.\d\d|2\.0\d) s of 4\.00 s can be read") as caught:
        load_audio(path)
    assert caught.value.fix
    with pytest.raises(AudioError, match=r"of 4\.00 s can be read"):
        load_audio(path.read_bytes())


def test_a_wav_that_lacks_a_tenth_of_a_second_is_read() -> None:
    content = encoded(noise(2.0))
    assert len(load_audio(content[:-3200])) == pytest.approx(1.9 * SAMPLE_RATE, abs=40)


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_a_wav_written_to_a_pipe_promises_nothing(size: int) -> None:
    content = bytearray(encoded(noise(1.0)))
    at = content.index(b"data") + 4
    content[at : at + 4] = size.to_bytes(4, "little")
    assert len(load_audio(bytes(content))) == SAMPLE_RATE


def test_a_flac_written_to_a_pipe_is_read_without_its_length() -> None:
    content = bytearray(encoded(noise(1.0), kind="FLAC"))
    content[21] &= 0xF0  # the 36 bits of the number of samples in STREAMINFO
    content[22:26] = bytes(4)
    np.testing.assert_allclose(load_audio(bytes(content)), noise(1.0), atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_sample_that_is_not_finite_is_named(bad: float) -> None:
    samples = noise(3.0)
    samples[[20_000, 30_000]] = bad
    content = encoded(samples, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"sample 20000 \(1\.250 s\) is not a finite number"):
        list(stream_audio(content, block_s=0.5))
    with pytest.raises(AudioError, match="sample 20000"):
        to_mono_16k(samples, SAMPLE_RATE)


def test_what_is_not_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello there.\n" * 100)
    with pytest.raises(AudioError, match=r"a\.txt: .*not audio"):
        load_audio(tmp_path / "a.txt")
    with pytest.raises(AudioError, match="not audio"):
        load_audio(np.random.default_rng(0).bytes(5000))
    with pytest.raises(AudioError, match="no such file"):
        load_audio(tmp_path / "missing.wav")
    with pytest.raises(AudioError, match="is a directory"):
        load_audio(tmp_path)


def test_a_playlist_does_not_open_the_files_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encoded(noise(1.0)))
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile a.wav\n")
    with pytest.raises(AudioError, match="not audio"):
        load_audio(tmp_path / "list.txt")


def test_a_file_with_video_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no audio stream"):
        load_audio(path)


def test_streaming_raises_nothing_before_the_first_block_is_asked_for(tmp_path: Path) -> None:
    blocks = stream_audio(tmp_path / "missing.wav")
    with pytest.raises(AudioError, match="no such file"):
        next(blocks)


@settings(max_examples=25, deadline=None)
@given(
    block_s=st.floats(0.01, 3.0),
    rate=st.sampled_from([8_000, 16_000, 44_100]),
    count=st.integers(200, 40_000),
)
def test_blocks_of_any_size_join_to_what_load_audio_gives(block_s: float, rate: int, count: int) -> None:
    content = encoded(noise(1.0, count), rate, subtype="FLOAT")
    blocks = list(stream_audio(content, block_s=block_s))
    assert all(len(block) and block.dtype == np.float32 for block in blocks)
    np.testing.assert_allclose(np.concatenate(blocks), load_audio(content), atol=1e-6)
    assert max(map(len, blocks)) <= (block_s + 0.5) * SAMPLE_RATE + 1


def test_an_hour_streams_in_the_memory_of_a_few_blocks(tmp_path: Path) -> None:
    second = (0.1 * tone(1.0, 8_000, 200.0) * 32767).astype(np.int16)
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8_000, 1, format="FLAC") as file:
        for _ in range(60):
            file.write(np.tile(second, 60))
    total = 0
    tracemalloc.start()
    try:
        for block in stream_audio(tmp_path / "long.flac"):
            total += len(block)
            assert len(block) <= 31 * SAMPLE_RATE
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 3600 * SAMPLE_RATE  # 230 MB of samples
    assert peak_bytes < 10 * 30 * SAMPLE_RATE * 4, peak_bytes


def test_a_small_file_of_long_silence_is_refused_before_it_is_decoded() -> None:
    content = encoded(np.zeros(600 * SAMPLE_RATE, np.int16), kind="FLAC")
    assert len(content) < 100_000
    taken: list[int] = []
    with pytest.raises(AudioError, match=r"the upload: has more than 45 s"):
        taken.extend(map(len, stream_audio(content, max_s=45.0, block_s=1.0, name="the upload")))
    assert 40 * SAMPLE_RATE < sum(taken) <= 45 * SAMPLE_RATE
    with pytest.raises(AudioError, match="has more than 599"):
        load_audio(content, max_s=599.99)
    assert len(load_audio(content, max_s=600)) == 600 * SAMPLE_RATE


def test_arrays_are_mixed_resampled_and_integers_scaled() -> None:
    stereo = np.stack([noise(1.0), -noise(1.0)], axis=1)
    np.testing.assert_allclose(to_mono_16k(stereo / [1, 3], SAMPLE_RATE), noise(1.0) / 3, atol=1e-7)
    np.testing.assert_array_equal(to_mono_16k(stereo, SAMPLE_RATE)[320:], noise(1.0)[320:])  # they cancel each other
    np.testing.assert_array_equal(to_mono_16k(stereo, SAMPLE_RATE, channel=1), -noise(1.0))
    assert len(to_mono_16k(tone(1.0, 8_000), 8_000)) == SAMPLE_RATE
    assert to_mono_16k(np.full(10, 0.5), SAMPLE_RATE).dtype == np.float32
    np.testing.assert_allclose(to_mono_16k(np.array([-32768, 16384], np.int16), SAMPLE_RATE), [-1.0, 0.5])


@pytest.mark.parametrize(
    ("samples", "rate", "match"),
    [
        (np.zeros(0, np.float32), 16_000, "shape"),
        (np.zeros((5, 0), np.float32), 16_000, "shape"),
        (np.zeros((5, 2, 2), np.float32), 16_000, "shape"),
        (np.zeros(5, np.uint8), 16_000, "uint8"),
        (np.array(["a"]), 16_000, "expected floats"),
        (np.zeros(5, np.float32), 0, "rate is 0"),
        (np.zeros(1, np.float32), 48_000, "less than one"),
    ],
)
def test_arrays_that_are_not_audio_are_refused(samples: np.ndarray, rate: int, match: str) -> None:
    with pytest.raises(AudioError, match=match):
        to_mono_16k(samples, rate)


def test_an_array_without_that_channel_is_refused() -> None:
    with pytest.raises(AudioError, match="no channel 2, it has 2"):
        to_mono_16k(np.zeros((5, 2), np.float32), SAMPLE_RATE, channel=2)


def test_probe_tells_what_the_container_says() -> None:
    info = probe(encoded(tone(2.0, 8_000), 8_000, kind="FLAC"))
    assert (info.duration_s, info.rate, info.channels, info.format) == (2.0, 8_000, 1, "flac")
