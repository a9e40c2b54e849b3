"""The client survives broken connections, and says what it cannot."""

import asyncio
import json
import random
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.client import ServerError, StreamClient, _Unacknowledged
from tests.serve.conftest import Running
from tests.serve.talking import joined, pieces, play


def test_broken_connections_do_not_change_the_text(server: Running, pcm, said):
    async def conversation(seed: int) -> tuple[str, int]:
        rng = random.Random(seed)
        async with StreamClient(f"{server.ws}/v1/stream") as client, asyncio.TaskGroup() as group:

            async def send() -> None:
                for block in pieces(pcm, 16_000):
                    await client.send(block)
                    if rng.random() < 0.3:
                        client._socket.transport.abort()
                        await asyncio.sleep(0.01)
                await client.stop()

            group.create_task(send())
            events = [event async for event in client]
        assert sorted({e["seq"] for e in events if e["type"] != "resumed"})[-1] == events[-1]["seq"]
        return joined(events), client.reconnect_attempts

    results = [asyncio.run(conversation(seed)) for seed in range(3)]
    assert [text for text, _ in results] == [said] * 3
    assert sum(count for _, count in results) > 0


def test_a_client_without_a_server_hears_why():
    with pytest.raises((OSError, ServerError)):
        asyncio.run(play("ws://127.0.0.1:9", [b""]))


def frames(items: list[bytes | dict[str, Any]]) -> list[bytes | str]:
    return [item if isinstance(item, bytes) else json.dumps(item) for item in items]


@given(
    st.lists(st.one_of(st.binary(min_size=1, max_size=9), st.sampled_from(["finalize", "update"])), max_size=20),
    st.data(),
)
def test_what_has_not_arrived_is_kept_in_order(said, data):
    kept = _Unacknowledged()
    items = [item if isinstance(item, bytes) else {"type": item} for item in said]
    for item in items:
        kept.add(item)
    ends = list(accumulate(len(item) if isinstance(item, bytes) else 0 for item in items))
    received = data.draw(st.integers(0, ends[-1] if ends else 0))
    kept.acknowledge(received)
    kept.acknowledge(received // 2)  # nothing comes back
    assert kept.arrived == received
    left = [
        end > received or (end == received and not isinstance(item, bytes))
        for end, item in zip(ends, items, strict=True)
    ]
    assert kept.frames() == frames(items[left.index(True) :] if any(left) else [])


def test_an_answered_message_need_not_be_said_again():
    kept = _Unacknowledged()
    first, second, audio = {"type": "update", "n": 1}, {"type": "update", "n": 2}, b"abc"
    for item in (audio, first, second):
        kept.add(item)
    kept.hear({"type": "updated"})
    assert kept.frames() == frames([audio, second])
    kept.hear({"type": "finalized"})
    assert kept.frames() == frames([audio, second])
