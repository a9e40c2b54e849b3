"""Known formats are known by their first bytes, in any pieces, and PCM is never one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio.input.formats.magic import known_format
from speech.audio.input.pcm import AudioFormat, Encoding, PcmDecoder
from speech.errors import AudioError
from tests.audio.made import muxed, tone, written
from tests.conftest import CLIPS

NAMED = {
    "MP3": written(tone(1.0), "MP3"),
    "MP3 ": b"ID3\x04\0\0\0\0\x02\0" + bytes(256) + written(tone(1.0), "MP3"),
    "MP2": muxed("mp2", "mp2", (tone(1.0, 48_000), 0), rate=48_000),
    "MP4": muxed("mp4", "aac", (tone(1.0), 0)),
    "MP4 ": muxed("mov", "aac", (tone(1.0), 0)),
    "AAC": muxed("adts", "aac", (tone(1.0), 0)),
    "FLAC": written(tone(1.0), "FLAC"),
    "AIFF": written(tone(1.0), "AIFF"),
    "CAF": written(tone(1.0), "CAF"),
    "AU": written(tone(1.0), "AU"),
    "W64": written(tone(1.0), "W64"),
    "RF64": written(tone(1.0), "RF64"),
    "FLV": muxed("flv", "aac", (tone(1.0, 44_100), 0), rate=44_100),
    "WavPack": muxed("wv", "wavpack", (tone(1.0), 0)),
    "AMR": b"#!AMR\n" + bytes(100),
    "WMA (ASF)": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100),
}
AUTO = AudioFormat(encoding=Encoding.auto)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_known_formats_are_refused_at_once(name: str, size: int) -> None:
    decoder, content = PcmDecoder(AUTO), NAMED[name]
    match = rf"this is {name.strip().replace('(', '.').replace(')', '.')}, send PCM16, Opus in Ogg or WebM, or WAV"
    with pytest.raises(AudioError, match=match):
        assert not [s for start in range(0, len(content), size) for s in decoder.decode(content[start : start + size])]
    with pytest.raises(AudioError, match=match):
        decoder.decode(b"\0\0")


@settings(max_examples=300)
@given(
    seed=st.integers(0, 1 << 32),
    first=st.sampled_from([0, 0xFFFB, 0xFBFF, 0xF1FF, 0xFAFF, 0x4449, 0x90FB, -1]),
    step=st.sampled_from([0, 1, 30, 300, 3000]),
)
def test_a_random_walk_is_pcm_even_if_it_begins_like_a_frame(seed: int, first: int, step: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).integers(-step, step + 1, 16_000))  # more than three frames
    samples = (first + walk - walk[0]).astype(np.int16)
    data = samples.astype("<i2").tobytes()
    assert known_format(data) == ""
    decoder = PcmDecoder(AUTO)
    found = np.concatenate([decoder.decode(data), decoder.finish()])
    np.testing.assert_array_equal(found, samples / np.float32(32768))


@pytest.mark.parametrize("step", [2, 1000])
def test_speech_is_pcm_wherever_it_begins(step: int) -> None:
    decoder = PcmDecoder(AudioFormat(encoding=Encoding.ogg_opus))
    clip = sorted(CLIPS.parent.glob("*.ogg"))[0].read_bytes()
    data = (decoder.decode(clip) * 32767).astype("<i2").tobytes()
    for place in range(0, min(len(data), 3000 * step), step):
        assert known_format(data[place : place + 9000]) == ""


@pytest.mark.parametrize("data", [b"\xff", b"\xff\xfb\x90\xc0", b"ID", b"\0\0\0\x18ft", NAMED["MP3"][:100]])
def test_what_ends_before_it_is_known_is_pcm(data: bytes) -> None:
    assert known_format(data) is None
    decoder = PcmDecoder(AUTO)
    data += b"\0" * (len(data) % 2)
    assert len(decoder.decode(data)) + len(decoder.finish()) == len(data) // 2
