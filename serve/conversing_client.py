"""A client that talks: it sends what the user says, plays the replies, and records both."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np

from serve.client import StreamClient
from serve.echo_guard import EchoGuard
from serve.microphone import silence
from serve.two_channels import TwoChannels
from speech.audio.input.pcm import to_pcm16
from speech.audio.playback import Player

Heard = dict[str, Any]
_PATIENCE_S = 3.0
"""How long a client whose audio has ended waits for a reply."""
_BLOCK_S = 0.032


class ConversingClient:
    """One dialogue.

    Args:
        url: `ws://` or `wss://` URL of `/v1/stream`.
        api_key: API key, if the server requires one.
        start: fields of `start`, with `dialogue`.
        show: takes each event.
        plays: whether replies are played.

    Attributes:
        recording: both sides.
    """

    def __init__(
        self, url: str, api_key: str | None, start: dict[str, Any], show: Callable[[Heard], None], *, plays: bool
    ) -> None:
        self._url, self._api_key, self._start, self._show, self._plays = url, api_key, start, show, plays
        self.recording = TwoChannels()
        self._rate = 0
        self._player: Player | None = None
        self._echo = EchoGuard() if plays else None
        self._stack = contextlib.ExitStack()
        self._replying, self._quiet_since = set[int](), time.monotonic()

    async def run(self, blocks: AsyncIterator[bytes], *, ends: bool) -> None:
        """Talk until the blocks end, and the replies to them, or for ever.

        Args:
            blocks: PCM16 at 16 kHz, in real time.
            ends: whether they end; then silence follows until all replies have been heard.

        Raises:
            ServerError, WebSocketException, OSError: as `StreamClient`.
            AudioError: if replies cannot be played.
        """
        with self._stack:
            async with StreamClient(self._url, api_key=self._api_key, **self._start) as client:
                sender = asyncio.create_task(self._send(client, blocks, ends=ends))
                try:
                    async for event in client:
                        self._take(event)
                        self._show(event)
                    await sender
                finally:
                    sender.cancel()

    async def _send(self, client: StreamClient, blocks: AsyncIterator[bytes], *, ends: bool) -> None:
        async for block in blocks:
            await self._say(client, block)
        self._quiet_since = time.monotonic()
        async for block in silence(_BLOCK_S):
            if ends and not self._replying and time.monotonic() - self._quiet_since > _PATIENCE_S:
                break
            await self._say(client, block)
        await client.stop()

    async def _say(self, client: StreamClient, block: bytes) -> None:
        samples = np.frombuffer(block, "<i2").astype(np.float32) / 32768
        self.recording.heard(samples)
        await client.send(block if self._echo is None else to_pcm16(self._echo.clean(samples)))

    def _take(self, event: Heard) -> None:
        kind = event["type"]
        if kind == "turn":
            self._replying.add(event["reply"])
        elif kind == "reply_started":
            self._open(event["sample_rate"])
        elif kind == "reply_audio":
            samples = np.frombuffer(event["pcm"], "<i2").astype(np.float32) / 32768
            self.recording.said(samples, self._rate)
            if self._player is not None:
                self._player.write(samples)
            if self._echo is not None:
                self._echo.play(samples, self._rate)
        elif kind in ("reply_held", "reply_truncated"):
            self.recording.silenced()
            if self._player is not None:
                self._player.forget()
            if self._echo is not None:
                self._echo.forget()
        if kind in ("reply_truncated", "reply_done", "reply_failed", "turn_reopened"):
            self._replying.discard(event["reply"])
            self._quiet_since = time.monotonic()

    def _open(self, rate: int) -> None:
        """Get ready to play, with the first reply."""
        if self._plays and self._player is None:
            self._player = self._stack.enter_context(Player(rate))
        self._rate = rate
