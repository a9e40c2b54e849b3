"""People who talk to a server in real time, for benchmarks of dialogues."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from dialogue_scenes import silence

from serve.client import StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.pcm import to_pcm16

_BLOCK_S = 0.02


class Microphone:
    """Sends what somebody says in real time, and silence in between, until it is closed.

    Args:
        client: takes the audio.
    """

    def __init__(self, client: StreamClient) -> None:
        self._client = client
        self._waiting: asyncio.Queue[tuple[np.ndarray, asyncio.Future[float]]] = asyncio.Queue()
        self._began, self._sent, self._closed = 0.0, 0, False

    async def send(self) -> None:
        """Send until `close`, and then `stop`."""
        self._began = time.monotonic()
        while not self._closed:
            if self._waiting.empty():
                await self._send(silence(_BLOCK_S))
                continue
            samples, over = self._waiting.get_nowait()
            await self._send(samples)
            if not over.done():
                over.set_result(time.monotonic())
        await self._client.stop()

    async def say(self, samples: np.ndarray) -> float:
        """Say samples `(n,)` at 16 kHz.

        Returns:
            When the last one had been said, by `time.monotonic`.
        """
        over = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((samples, over))
        return await over

    def close(self) -> None:
        """Say no more."""
        self._closed = True

    async def _send(self, samples: np.ndarray) -> None:
        step = round(_BLOCK_S * SAMPLE_RATE)
        for start in range(0, len(samples), step):
            block = samples[start : start + step]
            await self._client.send(to_pcm16(block))
            self._sent += len(block)
            await asyncio.sleep(max(self._began + self._sent / SAMPLE_RATE - time.monotonic(), 0))


def cut_off(client: StreamClient) -> None:
    """Break a client's connection without a goodbye; it resumes its session by itself."""
    socket = client._socket
    if socket is not None:
        socket.transport.abort()
