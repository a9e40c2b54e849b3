"""Plays what a server says of a translation, or records it beside the speech that it translates."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import numpy as np

from serve.two_channels import TwoChannels
from speech.audio import SAMPLE_RATE
from speech.audio.playback import Player


class TranslationPlayer:
    """What is said in one session. A context manager: its end waits until all is played.

    Args:
        plays: whether it is played; otherwise it is recorded.

    Attributes:
        recording: the speaker left, our voice right, where it is heard.
    """

    def __init__(self, *, plays: bool) -> None:
        self.recording = TwoChannels()
        self._plays = plays
        self._player: Player | None = None
        self._stack = contextlib.ExitStack()
        self._over_since: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    async def heard(self, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass on what the speaker says, PCM16 at 16 kHz, while it is sent."""
        async for block in blocks:
            if not self._plays:
                self.recording.heard(_samples(block))
            yield block
        self._over_since = time.monotonic()

    def take(self, event: dict[str, Any]) -> None:
        """Take an event of the server.

        Raises:
            ConfigError, AudioError: if it cannot be played.
        """
        if event["type"] != "translation_audio" or not event["pcm"]:
            return
        samples, rate = _samples(event["pcm"]), event["sample_rate"]
        if not self._plays:
            self._pass_time()
            self.recording.said(samples, rate)
            return
        if self._player is None:
            self._player = self._stack.enter_context(Player(rate))
        self._player.write(samples)

    def _pass_time(self) -> None:
        """The speaker is silent while time goes on behind the end of what was sent."""
        if self._over_since is not None:
            now = time.monotonic()
            self.recording.heard(np.zeros(round((now - self._over_since) * SAMPLE_RATE), np.float32))
            self._over_since = now


def _samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
