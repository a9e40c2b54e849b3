"""Audio that a client sends: a file at a pace, or the microphone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import stream_audio
from speech.audio.input.pcm import to_pcm16
from speech.errors import SpeechError

BLOCK_S = 0.1
_MOST_S = 60.0
"""Audio of the microphone that may wait to be sent."""


async def paced(file: str, pace: float, block_s: float = BLOCK_S) -> AsyncIterator[bytes]:
    """Yield PCM16 blocks of a file at `pace` times real time; 0: as fast as possible."""
    began, sent = time.monotonic(), 0
    size = round(block_s * SAMPLE_RATE)
    for samples in stream_audio(file):
        for start in range(0, len(samples), size):
            block = samples[start : start + size]
            yield to_pcm16(block)
            sent += len(block)
            if pace:
                await asyncio.sleep(max(began + sent / SAMPLE_RATE / pace - time.monotonic(), 0))


async def silence(block_s: float = BLOCK_S) -> AsyncIterator[bytes]:
    """Yield PCM16 blocks of silence in real time, for ever."""
    began, sent, block = time.monotonic(), 0, bytes(2 * round(block_s * SAMPLE_RATE))
    while True:
        yield block
        sent += len(block) // 2
        await asyncio.sleep(max(began + sent / SAMPLE_RATE - time.monotonic(), 0))


async def microphone(block_s: float = BLOCK_S) -> AsyncIterator[bytes]:
    """Yield PCM16 blocks of the default microphone, for ever.

    Raises:
        SpeechError: if there is none, or blocks are not taken for long.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise SpeechError(
            "the microphone needs the package sounddevice and PortAudio", fix="pip install sounddevice"
        ) from error
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes](round(_MOST_S / block_s))
    lost = False

    def put(block: bytes) -> None:
        nonlocal lost
        lost = lost or queue.full()
        if not lost:
            queue.put_nowait(block)

    def heard(data: Any, *_: Any) -> None:
        loop.call_soon_threadsafe(put, bytes(data))

    with sounddevice.RawInputStream(
        SAMPLE_RATE, round(block_s * SAMPLE_RATE), channels=1, dtype="int16", callback=heard
    ):
        while not (lost and queue.empty()):
            yield await queue.get()
    what = f"the server has accepted no audio from the microphone for {_MOST_S:.0f} s"
    raise SpeechError(what, fix="Check the network and the load of the server.")
