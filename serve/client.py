"""Client of `/v1/stream` that resumes its session after a broken connection.

async with StreamClient("ws://127.0.0.1:8000/v1/stream", languages=["eng", "spa"]) as stream:
    async with asyncio.TaskGroup() as group:
        group.create_task(stream.send_all(blocks_of_pcm16))
        async for event in stream:
            print(event)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from serve.protocols.wire import SUBPROTOCOL, CloseCode

_RETRIES = 6
_FIRST_PAUSE_S = 0.2
_IDLE = 20
"""The client gives up after more than this many consecutive connections without progress."""
_FATAL = 4000
_MOST_EVENTS = 4096
"""Maximum number of queued events; the client then stops reading from the server."""
_GRAIN = 64
"""Audio is split at multiples of this many bytes: whole samples in every encoding."""
_AUDIBLE = ("reply_audio", "translation_audio")
"""Types of events whose samples are in the binary message behind them."""
_ANSWERS = {"finalized": "finalize", "updated": "update", "alive": "keepalive", "referenced": "reference"}


class ServerError(Exception):
    """The server refused or closed the session; carries its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class _Unacknowledged:
    """Audio and messages that may have to be sent again, in order.

    Audio has arrived once its bytes are acknowledged, any other message once audio after it is acknowledged or the
    message is answered. A message that is sent twice at the same place changes nothing.
    """

    def __init__(self) -> None:
        self._sent = 0  # bytes of audio
        self.arrived = 0
        self._items: deque[tuple[int, bytes | dict[str, Any]]] = deque()

    def add(self, item: bytes | dict[str, Any]) -> None:
        self._sent += len(item) if isinstance(item, bytes) else 0
        self._items.append((self._sent, item))

    def acknowledge(self, received: int) -> None:
        """Drop the items that have arrived with the first `received` bytes of audio."""
        self.arrived = max(self.arrived, received)
        while self._items:
            end, item = self._items[0]
            if end > received or (end == received and not isinstance(item, bytes)):
                return
            self._items.popleft()

    def hear(self, event: dict[str, Any]) -> None:
        """Drop the items that an event of the server acknowledges or answers."""
        if event["type"] == "ack":
            self.acknowledge(event["received_bytes"])
        elif event["type"] in _ANSWERS:
            self._answered(_ANSWERS[event["type"]])

    def frames(self) -> list[bytes | str]:
        """All items as frames, to send again."""
        return [_frame(item) for _, item in self._items]

    def _answered(self, kind: str) -> None:
        """Drop the first message of a type: the server has answered it."""
        for number, (_, item) in enumerate(self._items):
            if not isinstance(item, bytes) and item["type"] == kind:
                del self._items[number]
                return


def _frame(item: bytes | dict[str, Any]) -> bytes | str:
    return item if isinstance(item, bytes) else json.dumps(item)


async def _events(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    """Events of a connection; one with audio comes once its binary frame is there, too."""
    heading: dict[str, Any] = {}
    async for frame in socket:
        event = {**heading, "pcm": frame} if isinstance(frame, bytes) else json.loads(frame)
        if event["type"] in _AUDIBLE and "pcm" not in event:
            heading = event
        else:
            yield event


class StreamClient:
    """One session. `send` takes audio, iteration yields events until `end`; those of the types `reply_audio` and
    `translation_audio` have their samples in `pcm`.

    Unacknowledged audio and messages are kept and sent again after a reconnect. Iterate while you send: after 4,096
    queued events the client stops reading, and the server disconnects slow readers.

    Args:
        url: `ws://` or `wss://` URL of `/v1/stream`.
        api_key: API key, if the server requires one.
        resume: resume the session when the connection breaks.
        start: fields of `start`: `languages`, `targets`, `interpret`, `audio`, `interim`, `endpointing`, ...

    Attributes:
        session: id of the session.
        reconnect_attempts: number of attempts to reconnect, successful or not.

    Raises:
        ServerError: on a fatal error of the server.
        WebSocketException, OSError: if no connection can be opened, at first or after all retries.
    """

    def __init__(self, url: str, *, api_key: str | None = None, resume: bool = True, **start: Any) -> None:
        self._url, self._resume, self._start = url, resume, start
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._socket: ClientConnection | None = None
        self._events: asyncio.Queue[dict[str, Any] | BaseException | None] = asyncio.Queue(_MOST_EVENTS)
        self._unacknowledged = _Unacknowledged()
        self._ready, self._flowing = asyncio.Event(), asyncio.Event()
        self._flowing.set()
        self._token, self._last_seq = "", 0
        self._longest: int | None = None
        self._reader: asyncio.Task[None] | None = None
        self._sentences = int("reference" in start)
        self.session = ""
        self.reconnect_attempts = 0

    async def __aenter__(self) -> StreamClient:
        try:
            await self._connect({"type": "start", **self._start})
        except BaseException:
            if self._socket is not None:
                await self._socket.close()
            raise
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        if self._socket is not None:
            await self._socket.close()

    async def send(self, data: bytes) -> None:
        """Send audio in the encoding of `start`, split into messages; waits while the server asks to pause."""
        await self._ready.wait()
        longest = len(data) if self._longest is None else self._longest
        for start in range(0, max(len(data), 1), max(longest, 1)):
            await self._flowing.wait()
            await self._say(data[start : start + longest])

    async def send_all(self, blocks: Iterable[bytes] | AsyncIterable[bytes]) -> None:
        """Send all blocks, then `stop`."""
        if isinstance(blocks, AsyncIterable):
            async for block in blocks:
                await self.send(block)
        else:
            for block in blocks:
                await self.send(block)
        await self.stop()

    async def say(self, message: dict[str, Any]) -> None:
        """Send any message of the protocol, such as `{"type": "finalize"}`."""
        await self._say(message)

    async def refer(self, text: str, **fields: Any) -> None:
        """Send reference text, whole or sentence by sentence; `score` events follow the finals.

        Args:
            text: the next part of the reference.
            fields: `languages`, `words`.
        """
        number, self._sentences = self._sentences, self._sentences + 1
        await self.say({"type": "reference", "text": text, "sentence": number, **fields})

    async def _say(self, item: bytes | dict[str, Any]) -> None:
        await self._ready.wait()
        self._unacknowledged.add(item)
        with contextlib.suppress(ConnectionClosed):  # the reader notices it too, reconnects and sends it again
            assert self._socket is not None
            await self._socket.send(_frame(item))

    async def stop(self) -> None:
        """End the audio; the last finals and `end` follow."""
        await self.say({"type": "stop"})

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            event = await self._events.get()
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            yield event

    async def _connect(self, first: dict[str, Any]) -> None:
        known = f"{'&' if '?' in self._url else '?'}{urlencode({'session': self.session})}" if self.session else ""
        self._socket = await connect(
            self._url + known,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            additional_headers=self._headers,
            compression=None,
            max_size=None,
        )
        await self._socket.send(json.dumps(first))
        answer = json.loads(await self._socket.recv())
        if answer["type"] == "error":
            raise ServerError(answer["code"], answer["message"])
        self._token = answer["resume_token"]
        if answer["type"] == "started":
            self.session, self._last_seq = answer["session"], answer["seq"]
            if answer["audio"]["encoding"] != "opus":  # Opus: one packet per message
                self._longest = max(answer["limits"]["max_message_bytes"] // _GRAIN, 1) * _GRAIN
            await self._events.put(answer)
        else:
            with contextlib.suppress(ConnectionClosed):  # the resume worked; the connection has broken once more
                self._unacknowledged.acknowledge(answer["received_bytes"])
                for frame in self._unacknowledged.frames():
                    await self._socket.send(frame)
        self._ready.set()

    async def _read(self) -> None:
        try:
            idle = 0
            while True:
                before = self._last_seq, self._unacknowledged.arrived
                if await self._read_connection():
                    break
                idle = idle + 1 if before == (self._last_seq, self._unacknowledged.arrived) else 0
                if idle > _IDLE:
                    text = f"the connection broke {idle} times before anything new had arrived"
                    raise ServerError("no_progress", text)
                self._ready.clear()
                await self._reconnect()
        except (ServerError, OSError, ConnectionClosed, InvalidHandshake) as error:
            self._ready.set()
            self._flowing.set()
            await self._events.put(error)
        else:
            await self._events.put(None)

    async def _read_connection(self) -> bool:
        """Queue events until the session ends (True) or the connection breaks (False)."""
        assert self._socket is not None
        fatal: ServerError | None = None
        try:
            async for event in _events(self._socket):
                self._last_seq = max(self._last_seq, event["seq"])
                self._notice(event)
                if event["type"] == "error" and event["code"] == "after_stop" and self.reconnect_attempts:
                    continue  # `stop` was sent twice
                await self._events.put(event)
                if event["type"] == "end":
                    return True
                if event["type"] == "error" and event["fatal"]:
                    fatal = ServerError(event["code"], event["message"])
        except ConnectionClosed:
            pass
        if fatal is not None:
            raise fatal
        code = self._socket.close_code
        if not self._resume or (code is not None and code >= _FATAL):
            raise ServerError(str(code), self._socket.close_reason or "the connection was closed")
        return False

    def _notice(self, event: dict[str, Any]) -> None:
        self._unacknowledged.hear(event)
        if event["type"] == "flow":
            (self._flowing.clear if event["state"] == "pause" else self._flowing.set)()

    async def _reconnect(self) -> None:
        pause = _FIRST_PAUSE_S
        for attempt in range(_RETRIES):
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause *= 2
            try:
                self.reconnect_attempts += 1
                self._flowing.set()
                await self._connect(
                    {"type": "resume", "session": self.session, "token": self._token, "last_seq": self._last_seq}
                )
            except (OSError, ConnectionClosed, InvalidHandshake):
                if attempt == _RETRIES - 1:
                    raise
            else:
                return


__all__ = ["CloseCode", "ServerError", "StreamClient"]
