"""What is said of a translation is played at once, or recorded where it is heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
import soundfile

from serve import translation_player
from serve.translation_player import TranslationPlayer
from tests.serve.test_conversing_client import Loud


def audio(count: int, rate: int = 8000) -> dict:
    return {"type": "translation_audio", "sample_rate": rate, "pcm": np.full(count, 16_000, "<i2").tobytes()}


async def speaker(seconds: int) -> AsyncIterator[bytes]:
    for _ in range(seconds):
        yield np.full(16_000, 8000, "<i2").tobytes()


def test_it_is_played_with_one_player_and_not_recorded(monkeypatch):
    made: list[Loud] = []
    monkeypatch.setattr(translation_player, "Player", lambda rate: made.append(Loud(rate)) or made[-1])
    with TranslationPlayer(plays=True) as player:
        for event in ({"type": "translation", "text": "a"}, audio(80), audio(0), audio(40)):
            player.take(event)
    (loud,) = made
    assert (loud.rate, loud.done) == (8000, [80, 40, "closed"])
    assert player.recording.seconds == 0


def test_it_is_recorded_beside_the_speaker_also_behind_the_end(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    async def run() -> None:
        nonlocal now
        seconds = 0
        async for block in player.heard(speaker(2)):
            assert len(block) == 32_000
            if not seconds:
                player.take(audio(4000))
            seconds += 1
        now += 1.5
        player.take(audio(4000))
        now += 0.5
        player.take(audio(4000))

    with TranslationPlayer(plays=False) as player:
        asyncio.run(run())
    player.recording.write(tmp_path / "a.wav")
    (user, voice), rate = soundfile.read(tmp_path / "a.wav")[0].T, 8000
    assert user[100 : 2 * rate - 100].min() > 0.2
    sounds = np.flatnonzero(np.diff((voice > 0.4).astype(int), prepend=0, append=0)) / rate
    assert sounds == pytest.approx([1.0, 1.5, 3.5, 4.5])
