"""Every encoding, in any pieces, and every refusal."""

import gc
import io
import struct
import threading
import weakref

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio.input.pcm import AudioFormat, Encoding, PcmDecoder
from speech.errors import AudioError
from tests.audio.pieces import AUTO, FLOATS, IN_OGG, OGG, SIZES, TONE, decode, outcome, pcm16

RAW = [Encoding.pcm_s16le, Encoding.pcm_f32le, Encoding.mulaw, Encoding.alaw]


def as_wav(samples: np.ndarray, subtype: str, rate: int = 16000, kind: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def with_data_size(wav: bytes, size: int) -> bytes:
    place = wav.index(b"data") + 4
    return wav[:place] + struct.pack("<I", size) + wav[place + 4 :]


def test_pcm16_at_16_khz_is_taken_bit_for_bit() -> None:
    found = decode(pcm16(TONE), AudioFormat())
    assert found.dtype == np.float32
    assert np.array_equal(found, np.rint(TONE * 32768).astype(np.float32) / 32768)


def test_float_is_taken_bit_for_bit_even_beyond_full_scale() -> None:
    assert np.array_equal(decode((TONE * 8).tobytes(), FLOATS), TONE * 8)


@pytest.mark.parametrize("encoding", [Encoding.pcm_s16le, Encoding.pcm_f32le])
def test_two_channels_are_mixed(encoding: Encoding) -> None:
    both = np.stack([TONE, np.zeros_like(TONE)], axis=1)
    data = pcm16(both) if encoding is Encoding.pcm_s16le else both.tobytes()
    assert np.allclose(decode(data, AudioFormat(encoding=encoding, channels=2)), TONE / 2, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*audioop.*:DeprecationWarning")
@pytest.mark.parametrize(("encoding", "law"), [(Encoding.mulaw, "ulaw2lin"), (Encoding.alaw, "alaw2lin")])
def test_telephone_codes_are_those_of_g711(encoding: Encoding, law: str) -> None:
    audioop = pytest.importorskip("audioop")
    expected = np.frombuffer(getattr(audioop, law)(bytes(range(256)), 2), "<i2")
    assert np.array_equal(decode(bytes(range(256)), AudioFormat(encoding=encoding)) * 32768, expected)


@pytest.mark.parametrize("rate", [8000, 11025, 24000, 44100, 48000])
def test_other_rates_become_16_khz(rate: int) -> None:
    tone = (0.5 * np.sin(2 * np.pi * 300 * np.arange(rate // 2) / rate)).astype(np.float32)
    found = decode(pcm16(tone), AudioFormat(sample_rate=rate))
    assert np.abs(found[500:7500] - TONE[500:7500]).max() < 2e-3


@settings(max_examples=50)
@given(rate=st.integers(8000, 48000), count=st.integers(0, 3000))
def test_no_sample_is_lost_at_any_rate(rate: int, count: int) -> None:
    assert abs(len(decode(bytes(2 * count), AudioFormat(sample_rate=rate))) - round(count * 16000 / rate)) <= 1


@settings(max_examples=30)
@given(SIZES, st.sampled_from([8000, 16000, 22050, 44100, 48000]), st.sampled_from([1, 2]), st.sampled_from(RAW))
def test_the_split_changes_nothing(sizes: list[int], rate: int, channels: int, encoding: Encoding) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 12_000).astype(np.float32)
    data = noise.tobytes() if encoding is Encoding.pcm_f32le else pcm16(noise)
    format = AudioFormat(encoding=encoding, sample_rate=rate, channels=channels)
    assert np.array_equal(decode(data, format), decode(data, format, sizes))


@settings(max_examples=20)
@given(sizes=SIZES, encoding=st.sampled_from([Encoding.pcm_s16le, Encoding.pcm_f32le]))
def test_two_channels_of_opposite_phase_are_one_of_them(sizes: list[int], encoding: Encoding) -> None:
    both = np.stack([TONE, -TONE], axis=1)
    data = pcm16(both) if encoding is Encoding.pcm_s16le else both.tobytes()
    found = decode(data, AudioFormat(encoding=encoding, channels=2), sizes)
    assert np.allclose(found[320:], TONE[320:], atol=1e-4)


@given(st.binary(max_size=400), st.sampled_from(list(Encoding)), SIZES)
def test_anything_is_audio_or_refused(data: bytes, encoding: Encoding, sizes: list[int]) -> None:
    found, _ = outcome(data, AudioFormat(encoding=encoding), sizes)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@settings(max_examples=20)
@given(SIZES, st.sampled_from(["PCM_16", "FLOAT", "ULAW", "ALAW"]), st.sampled_from(["WAV", "WAVEX"]))
def test_wav_in_any_pieces_is_read_by_its_header(sizes: list[int], subtype: str, kind: str) -> None:
    data = as_wav(TONE[:7999], subtype, kind=kind)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert np.array_equal(decode(data, AUTO, sizes), expected)


def test_a_wav_in_one_large_message_is_read_by_its_header() -> None:
    stereo = np.tile(np.stack([TONE, TONE], axis=1), (8, 1))
    data = as_wav(stereo, "PCM_16", 8000)
    assert len(data) > 1 << 17
    assert abs(len(decode(data, AUTO)) - 2 * len(stereo)) <= 1


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_of_unknown_length_is_read_to_its_end(size: int) -> None:
    assert len(decode(with_data_size(as_wav(TONE, "PCM_16"), size), AUTO)) == len(TONE)


@settings(max_examples=20)
@given(sizes=SIZES, subtype=st.sampled_from(["PCM_16", "ULAW"]))
def test_chunks_behind_the_samples_of_a_wav_are_not_audio(sizes: list[int], subtype: str) -> None:
    data, padding = as_wav(TONE[:7999], subtype), b"\0" * (subtype == "ULAW")
    chunk = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + b"\x0e\0\0\0Lavf61.1.100\0\0"
    more = data.removesuffix(padding) + padding + chunk
    assert np.array_equal(decode(more, AUTO, sizes), decode(data, AUTO))


@settings(max_examples=20)
@given(sizes=SIZES, more=st.sampled_from([pcm16(TONE[1:]), bytes(800), as_wav(TONE, "PCM_16")]))
def test_more_samples_than_a_wav_promises_are_refused_behind_those_promised(sizes: list[int], more: bytes) -> None:
    found, error = outcome(as_wav(TONE, "PCM_16") + more, AUTO, sizes)
    assert len(found) == len(TONE)
    assert error == "more audio follows than the header of the WAV file promises"


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (as_wav(TONE, "PCM_24"), "format 1 with 24 bits"),
        (as_wav(np.full(99, np.inf, np.float32), "FLOAT"), "not float audio"),
        (as_wav(np.stack([TONE] * 3, axis=1), "PCM_16"), "3 channels"),
        (as_wav(TONE, "PCM_16", 96_000), "rate 96000"),
        (as_wav(TONE, "PCM_16").replace(b"WAVE", b"AVI "), "RIFF file of b'AVI '"),
        (as_wav(TONE, "PCM_16").replace(b"fmt ", b"junk"), "after the format None"),
        (as_wav(TONE, "PCM_16")[:30], "ends within a sample or header"),
        (with_data_size(as_wav(TONE, "PCM_16"), 15_999), "15999 bytes"),
        (with_data_size(as_wav(TONE, "PCM_16"), 0)[:-1], "ends within a sample"),
        (as_wav(TONE, "PCM_16")[:-1], "ends within a sample"),
        (bytes(7), "ends within a sample"),
        (b"RIFF\xff\xff\xff\xffWAVEjunk\0\0\x20\0" + bytes(2 << 20), "header has 2097172 bytes or more"),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_any_pieces(data: bytes, refusal: str) -> None:
    for sizes in ([], [1] * 99):
        assert refusal in outcome(data, AUTO, sizes)[1]


@pytest.mark.parametrize("data", [b"", b"R", b"RI\0\0", b"Og", pcm16(TONE)])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_what_is_nothing_else_is_pcm16_of_the_given_rate(data: bytes, rate: int, channels: int) -> None:
    guess, known = (AudioFormat(encoding=Encoding(e), sample_rate=rate, channels=channels) for e in ("auto", RAW[0]))
    data += b"\0" * (-len(data) % known.frame_bytes)
    for sizes in ([], [1] * 9):
        assert np.array_equal(decode(data, guess, sizes), decode(data, known))


@pytest.mark.parametrize("wrong", [{"sample_rate": 7999}, {"sample_rate": 48001}, {"channels": 3}, {"channels": 0}])
def test_formats_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(AudioError, match=rf"{next(iter(wrong.values()))}.*expected.*\. \w"):
        AudioFormat(**wrong)


def test_a_frame_is_one_sample_of_all_channels_and_a_byte_where_there_are_none() -> None:
    assert [AudioFormat(encoding=each, channels=2).frame_bytes for each in Encoding] == [4, 8, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("encoding", RAW)
def test_a_message_of_half_a_sample_is_refused_and_not_taken(encoding: Encoding) -> None:
    format = AudioFormat(encoding=encoding, channels=2, sample_rate=48_000)
    frame = format.frame_bytes
    decoder, other = PcmDecoder(format), PcmDecoder(format)
    with pytest.raises(AudioError, match=rf"audio_misaligned.* {frame + 1} bytes.*multiple of {frame}"):
        decoder.decode(b"\0" * (frame + 1))
    found, expected = (np.concatenate([d.decode(b"\x31" * 60 * frame), d.finish()]) for d in (decoder, other))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 64.1, -32768.0])
def test_floats_that_are_no_audio_are_refused_and_not_taken(value: float) -> None:
    samples = TONE.copy()
    samples[7] = value
    decoder = PcmDecoder(FLOATS)
    with pytest.raises(AudioError, match=r"sample 7 .*not float audio in -1\.\.1"):
        decoder.decode(samples.tobytes())
    assert np.array_equal(decoder.decode(TONE.tobytes()), TONE)


@pytest.mark.parametrize("end", [PcmDecoder.finish, PcmDecoder.close])
@pytest.mark.parametrize("encoding", list(Encoding))
def test_an_empty_message_is_no_samples_and_nothing_is_taken_after_the_end(end, encoding: Encoding) -> None:
    decoder = PcmDecoder(AudioFormat(encoding=encoding))
    for found in (decoder.decode(b""), end(decoder), decoder.finish()):
        assert found is None or (found.shape == (0,) and found.dtype == np.float32)
    for data in (b"", b"\0" * 8):
        with pytest.raises(AudioError, match="ended"):
            decoder.decode(data)


def test_a_decoder_that_is_dropped_or_closed_leaves_nothing_behind() -> None:
    threads, closed, dropped = threading.active_count(), PcmDecoder(AUTO), PcmDecoder(IN_OGG)
    closed.decode(OGG[:5000])
    dropped.decode(OGG[:5000])
    closed.close()
    alive = weakref.ref(dropped)
    del dropped
    gc.collect()
    assert alive() is None
    assert threading.active_count() == threads
