"""A client that talks: what it plays, records and waits for."""

import numpy as np
import pytest

from serve import conversing_client
from serve.conversing_client import ConversingClient


class Loud:
    """A player that remembers."""

    def __init__(self, rate):
        self.rate, self.done = rate, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.append("closed")

    def write(self, samples):
        self.done.append(len(samples))

    def forget(self):
        self.done.append("forget")


def audio(reply, count):
    return {"type": "reply_audio", "reply": reply, "pcm": np.full(count, 1000, "<i2").tobytes()}


@pytest.fixture
def client(monkeypatch):
    made = []
    monkeypatch.setattr(conversing_client, "Player", lambda rate: made.append(Loud(rate)) or made[-1])
    client = ConversingClient("ws://x", None, {}, lambda event: None, plays=True)
    client.made = made
    return client


def test_replies_are_played_with_one_player_and_silenced_when_held_or_cut(client):
    for event in (
        {"type": "turn", "reply": 0},
        {"type": "reply_started", "reply": 0, "sample_rate": 8000},
        audio(0, 80),
        {"type": "reply_held", "reply": 0},
        {"type": "reply_resumed", "reply": 0},
        audio(0, 40),
        {"type": "reply_truncated", "reply": 0},
        {"type": "reply_started", "reply": 1, "sample_rate": 8000},
        audio(1, 8),
    ):
        client._take(event)
    (player,) = client.made
    assert player.rate == 8000
    assert player.done == [80, "forget", 40, "forget", 8]


@pytest.mark.parametrize("ends", ["reply_truncated", "reply_done", "reply_failed", "turn_reopened"])
def test_it_waits_for_replies_that_are_under_way(client, ends):
    client._take({"type": "turn", "reply": 3})
    assert client._replying == {3}
    client._take({"type": ends, "reply": 3})
    assert not client._replying
