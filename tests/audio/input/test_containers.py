"""Opus in packets, Ogg and WebM: in any pieces, in chains, damaged, and refused."""

import io
import struct
import time
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speech.audio.input import pcm as pcm_module
from speech.audio.input.containers import Ogg, opus_samples
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import AudioFormat, Encoding, PcmDecoder
from speech.errors import AudioError
from tests.audio.made import muxed
from tests.audio.made import tone as made_tone
from tests.audio.pieces import AUTO, CLIP, IN_OGG, IN_WEBM, OGG, PACKETS, SIZES, TONE, decode, outcome
from tests.conftest import CLIPS


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
