"""Decode streamed bytes to mono float32 samples at 16 kHz; the result does not depend on the split into messages."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from enum import StrEnum

import av
import numpy as np
import soxr

from speech.audio import SAMPLE_RATE
from speech.audio.input.containers import Ogg, OpusPacket, OpusStream, WebM, opus_samples
from speech.audio.input.downmix import Mixer
from speech.audio.input.formats.magic import known_format
from speech.audio.input.pieces import samples_of
from speech.errors import AudioError

_NOTHING = np.empty(0, np.float32)
_OPUS_RATE = 48_000
_LOUDEST_FLOAT = 64.0
_MOST_HEADER = 1 << 20
_UNKNOWN_BYTES = 0x7FFF_0000  # RIFF sizes from here on, and 0, mean unknown: the file was written to a pipe
_ENDLESS = 1 << 62
_MOST_LOOKED_AT = 1 << 15
MAX_MESSAGE_S = 30.0
"""Maximum seconds of Opus in one message of a container. Two bytes can encode 120 ms, so a small message can be long;
a longer one is refused before decoding."""
_INSTEAD = "send PCM16, Opus in Ogg or WebM, or WAV"


class Encoding(StrEnum):
    """Encoding of the bytes; names equal values. `opus` is one packet per message."""

    pcm_s16le = "pcm_s16le"
    pcm_f32le = "pcm_f32le"
    mulaw = "mulaw"
    alaw = "alaw"
    opus = "opus"
    ogg_opus = "ogg_opus"
    webm_opus = "webm_opus"
    auto = "auto"
    """Detect Ogg, WebM or WAV by the first bytes. Other known formats (`known_format`) are refused; anything else is
    PCM16. Messages may be split anywhere."""


_BYTES = {Encoding.pcm_s16le: 2, Encoding.pcm_f32le: 4, Encoding.mulaw: 1, Encoding.alaw: 1}
_CONTAINERS: dict[Encoding, type[Ogg] | type[WebM]] = {Encoding.ogg_opus: Ogg, Encoding.webm_opus: WebM}
_MAGICS = {b"OggS": Encoding.ogg_opus, b"\x1a\x45\xdf\xa3": Encoding.webm_opus, b"RIFF": Encoding.auto}
_WAV = {(1, 16): Encoding.pcm_s16le, (3, 32): Encoding.pcm_f32le, (6, 8): Encoding.alaw, (7, 8): Encoding.mulaw}
_CHUNK = re.compile(rb"\0?(?!RIFF)[ -~]{4}")  # allowed after the samples of a WAV file: padding, then a chunk name


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFormat:
    """Audio format of a client; containers have their own rate and channels. `Mixer` downmixes two channels.

    Raises:
        AudioError: if the rate is not 8000 to 48000 Hz, or there are not 1 or 2 channels.
    """

    encoding: Encoding = Encoding.pcm_s16le
    sample_rate: int = SAMPLE_RATE
    channels: int = 1

    def __post_init__(self) -> None:
        if not 8000 <= self.sample_rate <= 48000:
            raise AudioError(f"sample rate {self.sample_rate}, expected 8000 to 48000 Hz", fix="Resample it.")
        if self.channels not in (1, 2):
            raise AudioError(f"{self.channels} channels, expected 1 or 2", fix="Mix or choose before sending.")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels; 1 if the bytes are not raw samples."""
        return _BYTES.get(self.encoding, 0) * self.channels or 1


class PcmDecoder:
    """Decoder of one stream: call `decode` with each message, then `finish`.

    A refused message leaves the stream unchanged, except in a container or with `auto`, where bytes depend on earlier
    ones: there every later call raises the same error.

    Args:
        format: of the bytes.
    """

    def __init__(self, format: AudioFormat) -> None:
        self._auto = format.encoding is Encoding.auto
        self._waiting = bytearray()  # `auto`: first bytes, then the incomplete sample at the end of a message
        self._promised = _ENDLESS  # bytes of samples still expected according to a WAV header
        self._failure, self._finished = "", False
        self._told = OpusStream(format.channels)  # for packets without a container
        self._start(format)

    def _start(self, format: AudioFormat) -> None:
        self._format = format
        kind, rate = format.encoding, format.sample_rate if format.encoding in _BYTES else _OPUS_RATE
        self._container: Ogg | WebM | None = _CONTAINERS[kind]() if kind in _CONTAINERS else None
        self._resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32", "HQ")
        self._mixer = Mixer(format.channels, rate, "the stream")
        self._opus: av.AudioCodecContext | None = None
        self._stream: OpusStream | None = None
        self._skip = self._silent_bytes = 0

    def decode(self, data: bytes) -> np.ndarray:
        """Return the samples `(n,)` float32 at 16 kHz that a message completes.

        If a container is damaged within a message, the samples before the damage are returned and the next call raises.

        Raises:
            AudioError: if the message is misaligned, not finite, damaged, of another format, or after the end.
        """
        if self._finished or self._failure:
            raise AudioError(self._failure or "the audio has ended already", fix="Begin another stream.")
        try:
            return self._resample(self._samples(data))
        except AudioError as error:
            if self._auto or self._container is not None:
                self._failure = error.what
            raise

    def finish(self) -> np.ndarray:
        """Return the remaining samples `(n,)` float32; empty on later calls.

        Raises:
            AudioError: if the stream ends within a sample, page or header, has no audio, or has failed before.
        """
        if self._finished:
            return _NOTHING
        self._finished = True
        if self._failure:
            raise AudioError(self._failure, fix="Begin another stream.")
        if self._format.encoding is Encoding.auto and self._waiting[:4] != b"RIFF":
            self._start(replace(self._format, encoding=Encoding.pcm_s16le))
        rest = self._samples(b"") if self._opus is None else self._opened(self._opus.decode(None))
        if self._container is not None:
            self._container.finish()
            if self._silent_bytes:
                raise AudioError(f"{self._silent_bytes} bytes of {self._format.encoding} hold no audio")
        if self._waiting and self._promised != 0:
            raise AudioError(f"the audio ends within a sample or header, {len(self._waiting)} bytes of it are there")
        return self._resample(rest, last=True)

    def close(self) -> None:
        """Drop buffered audio and accept no more messages. There are no threads to stop."""
        self._finished = True
        self._waiting.clear()
        self._resampler = self._container = self._opus = None

    def _resample(self, mono: np.ndarray, last: bool = False) -> np.ndarray:
        return mono if self._resampler is None else np.asarray(self._resampler.resample_chunk(mono, last=last))

    def _samples(self, data: bytes) -> np.ndarray:
        """Decode a message to mono samples at the stream's own rate."""
        if self._auto:
            data = self._settle(data)
        if not data:
            return _NOTHING
        if self._container is not None:
            return self._unpack(data, self._container)
        if self._format.encoding is Encoding.opus:
            return self._packet(OpusPacket(data, self._told))
        if len(data) % (frame := self._format.frame_bytes):
            found = f"audio_misaligned: a message of {len(data)} bytes, expected a multiple of {frame}"
            raise AudioError(found, fix="Send whole samples of all channels.")
        samples = _to_float(data, self._format.encoding)
        return self._mixer.mix(samples.reshape(-1, self._format.channels))

    def _unpack(self, data: bytes, container: Ogg | WebM) -> np.ndarray:
        packets, parts, failure = list[OpusPacket](), [_NOTHING], None
        try:
            for packet in container.packets(data):
                packets.append(packet)
        except AudioError as error:
            failure = error
        seconds = sum(opus_samples(packet.data) for packet in packets) / _OPUS_RATE
        if seconds > MAX_MESSAGE_S:
            found = f"audio_too_long: a message of {len(data)} bytes holds {seconds:.0f} s of audio"
            raise AudioError(f"{found}, expected at most {MAX_MESSAGE_S:g}", fix="Send it in smaller messages.")
        try:
            for packet in packets:
                parts.append(self._packet(packet))
        except AudioError as error:
            failure = error
        if failure is not None:
            if len(parts) == 1:
                raise failure
            self._failure = failure.what
        self._silent_bytes = self._silent_bytes + len(data) if self._opus is None else 0
        if self._silent_bytes > _MOST_HEADER:
            raise AudioError(f"no audio in the first {self._silent_bytes} bytes, expected at most {_MOST_HEADER}")
        return np.concatenate(parts)

    def _packet(self, packet: OpusPacket) -> np.ndarray:
        """Decode one Opus packet to mono samples at 48 kHz, after the remainder of a previous chained stream."""
        data, stream = packet
        if not data:  # FFmpeg would treat it as the end of the stream
            return _NOTHING
        rest = _NOTHING
        if stream is not self._stream or self._opus is None:
            if self._opus is not None:
                rest = self._opened(self._opus.decode(None))
            self._opus = av.AudioCodecContext.create("opus", "r")
            self._opus.sample_rate = _OPUS_RATE
            self._opus.layout = "stereo" if stream.channels == 2 else "mono"
            self._stream, self._skip = stream, stream.skip
            self._mixer = Mixer(stream.channels, _OPUS_RATE, "the stream")
        try:
            samples = self._opened(self._opus.decode(av.Packet(data)))
        except av.FFmpegError as error:
            raise AudioError(f"an Opus packet of {len(data)} bytes is damaged: {error.strerror}") from error
        return np.concatenate([rest, samples]) if len(rest) else samples

    def _opened(self, frames: list[av.AudioFrame]) -> np.ndarray:
        """Mix decoded frames to mono and drop the container's pre-skip."""
        samples = np.concatenate([_NOTHING, *(self._mixer.mix(samples_of(frame)) for frame in frames)])
        skip, self._skip = self._skip, max(0, self._skip - len(samples))
        return samples[skip:]

    def _settle(self, data: bytes) -> bytes:
        """Return bytes of whole samples or of a container; none until the format is detected."""
        waiting = self._waiting
        waiting += data
        if self._format.encoding is Encoding.auto and not self._guess():
            return b""
        count = (usable := min(self._promised, len(waiting))) - usable % self._format.frame_bytes
        taken = bytes(waiting[:count])
        del waiting[:count]
        self._promised -= count
        if self._promised == 0 and len(waiting) > 4:
            if not _CHUNK.match(waiting):
                self._failure = "more audio follows than the header of the WAV file promises"
            del waiting[5:]
        return taken

    def _guess(self) -> bool:
        """Detect the format from the first bytes and switch to it; False if more bytes are needed.

        Raises:
            AudioError: if the format is known but not supported, or a WAV header is invalid.
        """
        first = bytes(self._waiting[:4])
        if len(first) < 4 and any(magic.startswith(first) for magic in _MAGICS):
            return False
        known = "" if first in _MAGICS else known_format(bytes(self._waiting[:_MOST_LOOKED_AT]))
        if known:
            raise AudioError(f"this is {known}, {_INSTEAD}")
        if known is None:
            return False
        format = replace(self._format, encoding=_MAGICS.get(first, Encoding.pcm_s16le))
        if format.encoding is Encoding.auto:
            if (found := _wav_header(self._waiting)) is None:
                return False
            format, begin, self._promised = found
            del self._waiting[:begin]
        self._start(format)
        return True


def to_pcm16(samples: np.ndarray) -> bytes:
    """Convert float32 samples to 16-bit little-endian PCM; values beyond -1..1 are clipped."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def _to_float(data: bytes, encoding: Encoding) -> np.ndarray:
    if encoding is Encoding.pcm_s16le:
        return np.frombuffer(data, "<i2") * np.float32(1 / 32768)
    if encoding in _G711:
        return _G711[encoding][np.frombuffer(data, np.uint8)]
    samples = np.frombuffer(data, "<f4").astype(np.float32)
    if len(wrong := np.flatnonzero(~(np.abs(samples) <= _LOUDEST_FLOAT))):
        found = f"sample {wrong[0]} of the message is {samples[wrong[0]]}, not float audio in -1..1"
        raise AudioError(found, fix="Send fractions of full scale, or name the encoding of integers.")
    return samples


def g711_values(law: Encoding) -> np.ndarray:
    """Values `(256,)` float32 of the codes of ITU-T G.711: sign, 3-bit exponent, 4-bit mantissa; mu-law inverts all
    bits, A-law some."""
    code = np.arange(256) ^ (0xFF if law is Encoding.mulaw else 0xD5)
    exponent, mantissa = code >> 4 & 7, code & 15
    value = ((mantissa << 3) + 132 << exponent) - 132
    if law is Encoding.alaw:
        value = (mantissa << 4) + 8 + 256 * (exponent > 0) << np.maximum(exponent - 1, 0)
    return (np.where(code & 128, -value, value) / 32768).astype(np.float32)


_G711 = {law: g711_values(law) for law in (Encoding.mulaw, Encoding.alaw)}


def _wav_header(first: bytearray) -> tuple[AudioFormat, int, int] | None:
    """Parse a WAV header: (format, offset of the samples, their bytes); None while the header is incomplete."""
    if len(first) >= 12 and first[8:12] != b"WAVE":
        raise AudioError(f"a RIFF file of {bytes(first[8:12])!r}, expected b'WAVE'")
    place, format = 12, None
    while len(first) >= place + 8 and place <= _MOST_HEADER:
        name, size = struct.unpack_from("<4sI", first, place)
        place += 8
        if name == b"data":
            size = size if 0 < size < _UNKNOWN_BYTES else _ENDLESS
            if format is None or size % format.frame_bytes:
                raise AudioError(f"{size} bytes of WAV data after the format {format}")
            return format, place, size
        if name == b"fmt " and len(first) >= place + size:
            format = _wav_format(first[place : place + size].ljust(16, b"\0"))
        place += size + size % 2
    if place > _MOST_HEADER:
        raise AudioError(f"the WAV header has {place} bytes or more, expected at most {_MOST_HEADER}")
    return None


def _wav_format(chunk: bytearray) -> AudioFormat:
    kind, channels, rate, bits = struct.unpack_from("<HHI6xH", chunk)
    if kind == 0xFFFE:  # extensible: the format code is further back
        kind = int.from_bytes(chunk[24:26], "little")
    if (kind, bits) not in _WAV:
        raise AudioError(f"the WAV file has format {kind} with {bits} bits", fix="Send PCM16 or float32.")
    return AudioFormat(encoding=_WAV[kind, bits], sample_rate=rate, channels=channels)
