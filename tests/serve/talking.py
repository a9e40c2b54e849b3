"""Conversations with a server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from serve.client import StreamClient


def joined(events: list[dict[str, Any]]) -> str:
    return " ".join(e["text"] for e in events if e["type"] == "transcript" and e["is_final"] and e["text"])


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


async def play(url: str, blocks: list[bytes], **start: Any) -> list[dict[str, Any]]:
    async with StreamClient(f"{url}/v1/stream", **start) as client, asyncio.TaskGroup() as group:
        group.create_task(client.send_all(blocks))
        return [event async for event in client]


async def talk(socket: ClientConnection, *messages: str | bytes) -> list[dict[str, Any]]:
    """Send, then read to the close."""
    found = []
    try:
        for message in messages:
            await socket.send(message)
        while True:
            found.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return found


def on_socket(
    url: str, talk_to: Callable[[ClientConnection], Awaitable[Any]], **options: Any
) -> tuple[Any, int | None]:
    """What a conversation gave, and the code that the server closed with."""

    async def run() -> tuple[Any, int | None]:
        async with connect(url, **options) as socket:
            result = await talk_to(socket)
            return result, socket.close_code

    return asyncio.run(run())
