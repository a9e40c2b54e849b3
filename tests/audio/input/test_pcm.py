"""Every encoding, in any pieces, and every refusal."""

from __future__ import annotations

import gc
import io
import struct
import threading
import time
import weakref
import zlib
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speech.audio.input import pcm as pcm_module
from speech.audio.input.containers import Ogg, opus_samples
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import AudioFormat, Encoding, PcmDecoder
from speech.errors import AudioError
from tests.audio.made import muxed
from tests.audio.made import tone as made_tone
from tests.conftest import CLIPS

CLIP = CLIPS.parent / "ast_es_confbridge-has-joined.ogg"
OGG = CLIP.read_bytes()
TONE = (0.5 * np.sin(2 * np.pi * 300 * np.arange(8000) / 16000)).astype(np.float32)
SIZES = st.lists(st.one_of(st.integers(0, 9), st.integers(1, 5000)), max_size=25)
RAW = [Encoding.pcm_s16le, Encoding.pcm_f32le, Encoding.mulaw, Encoding.alaw]
AUTO, IN_OGG, IN_WEBM, PACKETS, FLOATS = (
    AudioFormat(encoding=Encoding(name)) for name in ("auto", "ogg_opus", "webm_opus", "opus", "pcm_f32le")
)


def messages(data: bytes, format: AudioFormat, sizes: list[int]) -> list[bytes]:
    """Pieces of so many samples (or bytes), then the rest."""
    bounds = [0, *np.minimum(np.cumsum(sizes, dtype=int) * format.frame_bytes, len(data)).tolist(), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def decode(data: bytes, format: AudioFormat, sizes: list[int] | None = None) -> np.ndarray:
    decoder = PcmDecoder(format)
    return np.concatenate([*map(decoder.decode, messages(data, format, sizes or [])), decoder.finish()])


def outcome(data: bytes, format: AudioFormat, sizes: list[int]) -> tuple[np.ndarray, str]:
    """The samples before an error, and the error."""
    decoder, parts = PcmDecoder(format), [np.empty(0, np.float32)]
    try:
        for message in messages(data, format, sizes):
            parts.append(decoder.decode(message))
        parts.append(decoder.finish())
    except AudioError as error:
        return np.concatenate(parts), error.what
    return np.concatenate(parts), ""


def pcm16(samples: np.ndarray) -> bytes:
    return np.rint(samples * 32768).astype("<i2").tobytes()


def ogg_page(packets: list[bytes], number: int, kind: int = 0) -> bytes:
    """RFC 3533. Its CRC is zlib's with the bits of bytes and result reversed, from zero."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    rest = bytes([len(lacing)]) + lacing + b"".join(packets)
    head = b"OggS\0" + bytes([kind]) + struct.pack("<qII", 960 * number, 7, number)
    mirror = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    crc = zlib.crc32((head + bytes(4) + rest).translate(mirror), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return head + int(f"{crc:032b}"[::-1], 2).to_bytes(4, "little") + rest


def ogg(channels: int, *pages: list[bytes]) -> bytes:
    head = b"OpusHead\x01" + struct.pack("<BHIhB", channels, 312, 48_000, 0, 0)
    contents = [[head], [b"OpusTags" + bytes(8)], *pages]
    return b"".join(ogg_page(packets, number, 2 * (number == 0)) for number, packets in enumerate(contents))


def as_webm(samples: np.ndarray) -> bytes:
    """Samples `(channels, n)` at 48 kHz as browsers record them."""
    buffer, layout = io.BytesIO(), "stereo" if len(samples) == 2 else "mono"
    with av.open(buffer, "w", format="webm") as out:
        stream = out.add_stream("libopus", rate=48_000, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate = 48_000
        resampler = av.AudioResampler("flt", layout, 48_000, frame_size=960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def tone_in_webm(channels: int) -> tuple[bytes, list[bytes]]:
    """300 Hz, on the left alone if there are two channels, and its packets; 312 samples at 48 kHz are to be skipped."""
    tone = (0.5 * np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000)).astype(np.float32)
    file = as_webm(np.stack([tone, 0 * tone][:channels]))
    with av.open(io.BytesIO(file)) as source:
        return file, [bytes(packet) for packet in source.demux(audio=0) if packet.size]


@pytest.fixture(scope="module")
def webm() -> bytes:
    with av.open(str(CLIP)) as source:
        frames = [frame.to_ndarray() for frame in source.decode(audio=0)]
    return as_webm(np.concatenate(frames, axis=1)[:, :96_000])


def as_wav(samples: np.ndarray, subtype: str, rate: int = 16000, kind: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def with_data_size(wav: bytes, size: int) -> bytes:
    place = wav.index(b"data") + 4
    return wav[:place] + struct.pack("<I", size) + wav[place + 4 :]


# Samples


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


# Opus


def unlikeness(found: np.ndarray, expected: np.ndarray) -> float:
    """Energy of the difference as a share; decoders and resamplers differ a little."""
    count = min(len(found), len(expected))
    return float(np.square(found[:count] - expected[:count]).sum() / np.square(expected[:count]).sum())


@pytest.mark.parametrize("clip", [*sorted(CLIPS.parent.glob("*.ogg")), None], ids=str)
def test_a_container_is_what_the_file_is(clip: Path | None, webm: bytes) -> None:
    data = webm if clip is None else clip.read_bytes()
    found, expected = decode(data, AUTO), load_audio(data)
    assert 0 <= len(found) - len(expected) <= 320  # the last packet may be filled up
    assert unlikeness(found, expected) < 0.001


@settings(max_examples=20)
@given(sizes=SIZES, format=st.sampled_from([IN_OGG, IN_WEBM]), guess=st.booleans())
@example(sizes=[1] * 4000, format=IN_OGG, guess=True)
@example(sizes=[1] * 4000, format=IN_WEBM, guess=True)
def test_containers_in_any_pieces_are_the_same(webm: bytes, sizes: list[int], format: AudioFormat, guess: bool) -> None:
    data = webm if format is IN_WEBM else OGG
    assert np.array_equal(decode(data, AUTO if guess else format, sizes), decode(data, format))


@pytest.mark.parametrize("channels", [1, 2])
def test_packets_are_messages_or_in_containers_and_their_channels_are_mixed(channels: int) -> None:
    file, packets = tone_in_webm(channels)
    decoder = PcmDecoder(AudioFormat(encoding=Encoding.opus, channels=channels, sample_rate=8000))
    found = np.concatenate([*map(decoder.decode, packets), decoder.finish()])
    in_ogg, in_webm = decode(ogg(channels, packets[:20], packets[20:]), IN_OGG), decode(file, IN_WEBM)
    assert abs(len(found) - 320 * len(packets)) <= 1
    assert abs(len(in_ogg) - (320 * len(packets) - 104)) <= 1
    assert np.array_equal(in_ogg, in_webm)
    assert np.array_equal(in_ogg, decode(ogg(channels, [packets[0], b"", *packets[1:]]), IN_OGG))  # b"" is not the end
    assert unlikeness(in_ogg[500:6500], TONE[500:6500] / channels) < 0.01
    assert unlikeness(found[104 + 500 :][:6000], TONE[500:6500] / channels) < 0.01


def test_packets_whose_samples_are_held_back_lose_none() -> None:
    decoder = PcmDecoder(PACKETS)
    found = [decoder.decode(b"\0"), decoder.decode(b"\0"), decoder.finish()]  # SILK, 10 ms each
    assert abs(sum(map(len, found)) - 320) <= 1


def test_a_broken_packet_harms_no_other() -> None:
    _, packets = tone_in_webm(1)
    whole, hurt = (PcmDecoder(PACKETS) for _ in range(2))
    expected = [*map(whole.decode, packets), whole.finish()]
    found = [*map(hurt.decode, packets[:10])]
    for broken in (b"\xff" * 40, b"\xff"):
        with pytest.raises(AudioError, match="damaged"):
            hurt.decode(broken)
    found += [*map(hurt.decode, packets[10:]), hurt.finish()]
    assert np.array_equal(np.concatenate(found), np.concatenate(expected))


def test_samples_in_front_of_damage_are_given_and_then_it_is_said_again_and_again() -> None:
    _, packets = tone_in_webm(1)
    decoder = PcmDecoder(IN_OGG)
    assert len(decoder.decode(ogg(1, [*packets[:20], b"\xff" * 40, *packets[20:]]))) > 5000
    for later in (lambda: decoder.decode(b""), lambda: decoder.decode(ogg_page(packets, 3)), decoder.finish):
        with pytest.raises(AudioError, match="40 bytes is damaged"):
            later()


@pytest.mark.parametrize("in_ogg", [True, False])
def test_a_small_message_of_many_minutes_is_refused_before_it_is_decoded(in_ogg: bool) -> None:
    """Two bytes are 120 ms: 16 KiB of them would be ten minutes."""
    page = [b"\x7b\x06"] * 250
    data = b"".join([ogg(1), *(ogg_page(page, number) for number in range(2, 22))])
    if not in_ogg:
        file, _ = tone_in_webm(1)
        data = file[: file.index(b"\x1f\x43\xb6\x75")] + b"\xa3\x86\x81\0\0\x80\x7b\x06" * 2000
        assert len(data) < 1 << 15
    decoder = PcmDecoder(IN_OGG if in_ogg else IN_WEBM)
    start = time.process_time()
    with pytest.raises(AudioError, match=rf"audio_too_long: a message of {len(data)} bytes holds \d+ s"):
        decoder.decode(data)
    assert time.process_time() - start < 1.0  # ten minutes take longer
    with pytest.raises(AudioError, match="audio_too_long"):
        decoder.decode(b"")


def test_messages_of_less_than_the_limit_are_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    _, packets = tone_in_webm(1)
    data = ogg(1, packets[:50])
    monkeypatch.setattr(pcm_module, "MAX_MESSAGE_S", 1.0)
    assert len(PcmDecoder(IN_OGG).decode(data)) > 15_000
    monkeypatch.setattr(pcm_module, "MAX_MESSAGE_S", 0.99)
    with pytest.raises(AudioError, match=r"holds 1 s of audio, expected at most 0\.99"):
        PcmDecoder(IN_OGG).decode(data)


@pytest.mark.parametrize(("toc", "more", "ms"), [(0, b"", 10), (0x1B, b"\x02", 120), (0x78, b"", 20), (0x81, b"", 5)])
def test_a_packet_tells_its_length(toc: int, more: bytes, ms: float) -> None:
    assert opus_samples(bytes([toc]) + more) == 48 * ms


def test_every_packet_is_as_long_as_it_tells() -> None:
    for clip in CLIPS.parent.glob("*.ogg"):
        packets = [packet.data for packet in Ogg().packets(clip.read_bytes())]
        with av.open(str(clip)) as source:
            expected = [packet.duration for packet in source.demux(audio=0) if packet.size]
        assert sum(map(opus_samples, packets[:-1])) == sum(expected[:-1])


@settings(max_examples=20)
@given(sizes=SIZES, guess=st.booleans())
def test_a_chain_is_read_to_its_end_whatever_its_links_are(sizes: list[int], guess: bool) -> None:
    """A second stream has channels and samples to skip of its own."""
    mono, stereo = (tone_in_webm(channels)[1] for channels in (1, 2))
    first, second = ogg(1, mono[:20]), ogg(2, stereo[:40])
    found = decode(first + second, AUTO if guess else IN_OGG, sizes)
    alone = [decode(each, IN_OGG) for each in (first, second)]
    assert abs(len(found) - sum(map(len, alone))) <= 2
    assert unlikeness(found[len(alone[0]) + 500 :], alone[1][500:]) < 0.01


def test_of_streams_side_by_side_the_opus_one_is_taken() -> None:
    _, packets = tone_in_webm(1)
    ours, other = ogg(1, packets[:20]), b"fishead\0" + bytes(56)
    head, rest = ours[: ours.index(b"OggS", 4)], ours[ours.index(b"OggS", 4) :]
    foreign = ogg_page([other], 0, 2).replace(b"\7\0\0\0", b"\x08\0\0\0")
    more = ogg_page([b"bone"], 1).replace(b"\7\0\0\0", b"\x08\0\0\0")
    for data in (foreign + head + more + rest, head + foreign + more + rest):
        assert np.array_equal(decode(data, IN_OGG), decode(ours, IN_OGG))
    with pytest.raises(AudioError, match="begins with b'fishead"):
        decode(foreign + more, IN_OGG)


def test_of_several_tracks_in_webm_the_audio_is_taken() -> None:
    film = muxed("matroska", "libopus", (made_tone(2.0, 48_000), 0), rate=48_000, video_s=2.0)
    found = decode(film, IN_WEBM)
    assert abs(len(found) - 32_000) < 500
    assert float(np.square(found).mean()) > 0.01
    with pytest.raises(AudioError, match="the WebM track is b'A_AAC', expected A_OPUS"):
        decode(muxed("matroska", "aac", (made_tone(2.0), 0)), IN_WEBM)
    two = muxed("matroska", "libopus", (made_tone(1.0, 48_000), 0), (made_tone(3.0, 48_000), 0), rate=48_000, default=1)
    assert abs(len(decode(two, IN_WEBM)) - 48_000) < 500


@settings(max_examples=20)
@given(sizes=SIZES, encoding=st.sampled_from([Encoding.pcm_s16le, Encoding.pcm_f32le]))
def test_two_channels_of_opposite_phase_are_one_of_them(sizes: list[int], encoding: Encoding) -> None:
    both = np.stack([TONE, -TONE], axis=1)
    data = pcm16(both) if encoding is Encoding.pcm_s16le else both.tobytes()
    found = decode(data, AudioFormat(encoding=encoding, channels=2), sizes)
    assert np.allclose(found[320:], TONE[320:], atol=1e-4)


def test_opus_of_opposite_phase_is_heard() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000)).astype(np.float32)
    assert np.abs(decode(as_webm(np.stack([tone, -tone])), IN_WEBM)[2000:14_000]).max() > 0.3


EBML = b"\x1a\x45\xdf\xa3\x84"
OGG_REFUSED = [b"RIFF" * 20, OGG[:28] + b"\0" * 19 + OGG[47:], OGG[:1000], ogg(1), ogg(3)]
WEBM_REFUSED = [bytes(100), b"abc", b"abcd", b"abcd\x86\x85V_VP8", b"abcd\xa3\x81\x81", b"abcd\xa3\xff"]


@pytest.mark.parametrize("data", [*OGG_REFUSED, *(EBML + after for after in WEBM_REFUSED)])
def test_containers_that_are_none_or_cut_off_or_hold_no_audio_are_refused(data: bytes) -> None:
    assert outcome(data, IN_WEBM if data.startswith(EBML) else IN_OGG, [])[1]


def test_a_megabyte_without_audio_is_refused() -> None:
    pages, void = ogg(1) + ogg_page([], 2) * 40_000, b"\xec\x10\x40\x00\x00" + bytes(1 << 22)
    for data, format in ((pages, IN_OGG), (void, IN_WEBM)):
        assert "no audio in the first" in outcome(data, format, [65_536] * 17)[1]


@settings(max_examples=20)
@given(place=st.integers(0, 3999), flip=st.integers(1, 255), sizes=SIZES, format=st.sampled_from([IN_OGG, IN_WEBM]))
def test_damage_in_pieces(webm: bytes, place: int, flip: int, sizes: list[int], format: AudioFormat) -> None:
    """The same error behind as many samples; their values in damage vary from run to run in FFmpeg's decoder."""
    data = bytearray((webm if format is IN_WEBM else OGG)[:4000])
    data[place] ^= flip
    (whole, first), (split, second) = (outcome(bytes(data), format, pieces) for pieces in ([], sizes))
    assert first[:16] == second[:16]  # further on it may quote what has come so far
    assert len(whole) == len(split)


@given(st.binary(max_size=400), st.sampled_from(list(Encoding)), SIZES)
def test_anything_is_audio_or_refused(data: bytes, encoding: Encoding, sizes: list[int]) -> None:
    found, _ = outcome(data, AudioFormat(encoding=encoding), sizes)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


# WAV and guesses


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


# Refusals


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
