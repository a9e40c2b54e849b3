"""What the microphone hears is sent, or the command says that it cannot be."""

import asyncio
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from serve import microphone
from speech.errors import SpeechError


class Input:
    """A microphone that hears so many blocks at once."""

    blocks = 0

    def __init__(self, rate: int, size: int, *, channels: int, dtype: str, callback: Any) -> None:
        self._callback = callback

    def __enter__(self) -> None:
        threading.Thread(target=lambda: [self._callback(bytes([n % 256])) for n in range(self.blocks)]).start()

    def __exit__(self, *_: Any) -> None:
        pass


def test_a_microphone_that_nobody_listens_to_fails_by_name_and_loses_nothing_before(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(RawInputStream=Input))
    monkeypatch.setattr(Input, "blocks", 1000)
    monkeypatch.setattr(microphone, "_MOST_S", 2.0)
    heard = []

    async def listen() -> None:
        async for block in microphone.microphone():
            if not heard:
                await asyncio.sleep(0.5)
            heard.append(block)

    with pytest.raises(SpeechError, match="accepted no audio from the microphone for 2 s"):
        asyncio.run(listen())
    assert 20 <= len(heard) <= 22
    assert heard == [bytes([n]) for n in range(len(heard))]
