"""Files of every container, made of a tone, as recorders and editors leave them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import soundfile

RATE = 16_000


def tone(duration_s: float, rate: int = RATE, hz: float = 440.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(duration_s * rate)) / rate)).astype(np.float32)


def written(samples: np.ndarray, kind: str = "WAV", rate: int = RATE, subtype: str | None = None) -> bytes:
    """By libsndfile."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind, subtype=subtype)
    return out.getvalue()


def muxed(
    format: str,
    codec: str,
    *tracks: tuple[np.ndarray, float],
    rate: int = RATE,
    video_s: float = 0.0,
    gap: tuple[float, float] = (1e9, 0.0),
    default: int | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """By FFmpeg: tracks of (samples, when they begin in seconds), all of them later by `gap[1]` from `gap[0]` on."""
    out = io.BytesIO()
    with av.open(out, "w", format=format, options=options or {}) as container:
        video = container.add_stream("mpeg4", rate=10) if video_s else None
        packets: list[av.Packet] = []
        streams = [container.add_stream(codec, rate=rate, layout="mono") for _ in tracks]
        for number, stream in enumerate(streams):
            if default is not None:
                stream.disposition = av.stream.Disposition(int(number == default))
        if video is not None:
            video.width = video.height = 32
            video.pix_fmt = "yuv420p"
            for number in range(round(video_s * 10)):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                picture.pts = number
                packets += video.encode(picture)
            packets += video.encode(None)
        for stream, (samples, begin_s) in zip(streams, tracks, strict=True):
            packets += _encoded(stream, samples, rate, begin_s, gap)
        known = [packet for packet in packets if packet.dts is not None]
        container.mux(sorted(known, key=lambda packet: float(packet.dts * packet.time_base)))
    return out.getvalue()


def _encoded(
    stream: av.AudioStream, samples: np.ndarray, rate: int, begin_s: float, gap: tuple[float, float]
) -> Sequence[av.Packet]:
    context, packets, count = stream.codec_context, [], 0
    cutter = av.AudioResampler(context.format.name, "mono", rate, frame_size=context.frame_size or 1024)
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    for piece in [*cutter.resample(frame), *cutter.resample(None)]:
        later_s = begin_s + (gap[1] if count / rate >= gap[0] else 0.0)
        piece.pts, piece.time_base = count + round(later_s * rate), Fraction(1, rate)
        count += piece.samples
        packets += stream.encode(piece)
    return [*packets, *stream.encode(None)]


def heard(samples: np.ndarray) -> list[tuple[float, float]]:
    """Where there is sound: (from, to) in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    breaks = np.flatnonzero(np.diff(loud) > RATE // 20)
    begins, ends = [loud[0], *loud[breaks + 1]], [*loud[breaks], loud[-1]]
    return [(round(a / RATE, 3), round(b / RATE, 3)) for a, b in zip(begins, ends, strict=True)]


def with_chunk_size(wav: bytes, size: int, name: bytes = b"data") -> bytes:
    place = wav.index(name) + 4
    return wav[:place] + size.to_bytes(4, "little") + wav[place + 4 :]
