"""Websocket transport of sessions. Each wire protocol is a `ProtocolAdapter`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from serve.protocols import wire
from serve.sessions.attached import Attached
from serve.sessions.options import Refused
from serve.sessions.registry import SessionRegistry

_log = logging.getLogger(__name__)
_STALLED_S = 30.0
_BROKEN = (WebSocketDisconnect, RuntimeError)  # raised by Starlette if the client is gone


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame that an adapter sends at once by itself, with or without a session."""

    frame: wire.Frame


class ProtocolAdapter(Protocol):
    """Translates one wire protocol, for one connection.

    Attributes:
        resumable: whether a client can resume its session.
    """

    resumable: bool

    def greet(self) -> list[wire.Frame]:
        """Frames to send before the first frame of the client."""

    def incoming(self, frame: wire.Frame) -> Sequence[wire.ClientMessage | bytes | Reply]:
        """Messages of a client frame; `StartMessage` or `Resume` comes before all others. Raises Refused."""

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """Frames of a server message; none if the protocol has no equivalent."""


class _Left(Exception):
    """The client has disconnected."""


class SessionSocket:
    """One accepted connection.

    Args:
        socket: the accepted websocket.
        registry: all sessions of the server.
        adapter: of the client's protocol.
        until: expiry of the client's token in Unix seconds; after that a session may continue, but not start.
    """

    def __init__(
        self, socket: WebSocket, registry: SessionRegistry, adapter: ProtocolAdapter, until: float = math.inf
    ) -> None:
        self._socket, self._registry, self._adapter, self._until = socket, registry, adapter, until
        self._config = registry.facts.config
        self._missed: list[wire.Frame] = []

    async def run(self) -> None:
        """Serve the connection until it closes."""
        try:
            for frame in self._adapter.greet():
                await self._send(frame)
            resuming = self._registry.knows(self._socket.query_params.get("session", ""))
            with self._registry.waiting.entered(resuming=resuming):
                attached, opening = await self._open()
        except (_Left, TimeoutError):
            return
        except Refused as refused:
            await self.refuse(refused)
            return
        except Exception:
            _log.exception("a session could not be opened")
            await self.refuse(Refused("internal", "the server failed; try again", wire.CloseCode.internal))
            return
        connection = attached.connection
        reader = asyncio.create_task(self._read(attached, connection, opening))
        writer = asyncio.create_task(self._write(attached, connection))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if attached.session.ended or attached.connection != connection:
                await asyncio.wait({writer}, timeout=self._config.slow_reader_s)
        finally:
            for task in (reader, writer):
                task.cancel()
            for outcome in await asyncio.gather(reader, writer, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, _Left):
                    _log.error("a connection failed", exc_info=outcome)
            self._registry.park(attached, connection)

    async def refuse(self, refused: Refused) -> None:
        """Send the reason why there is no session, and close."""
        close = refused.close or wire.CloseCode.bad_message
        retryable = close < wire.CloseCode.bad_message
        error = wire.Error(seq=1, code=refused.code, message=refused.message, fatal=True, retryable=retryable)
        if refused.param is not None:
            error.param = refused.param
        if close == wire.CloseCode.overloaded:
            wait_s = self._registry.admit() or 1.0
            error.retry_after_ms = round(wait_s * 1000)
        with contextlib.suppress(_Left, TimeoutError):
            for frame in self._adapter.outgoing(error):
                await self._send(frame)
            await self._close(close, f"{refused.code}: {refused.message}")

    async def _open(self) -> tuple[Attached, list[wire.ClientMessage | bytes]]:
        """Wait for the opening message; returns the session and the messages that came in the same frame."""
        began = asyncio.get_running_loop().time()
        patience_s = self._config.first_message_s
        while True:
            try:
                async with asyncio.timeout_at(began + patience_s):
                    messages = await self._incoming(await self._receive())
            except TimeoutError:
                text = f"nothing that begins a session was said within {patience_s:g} s"
                raise Refused("no_start", text, wire.CloseCode.idle) from None
            if not messages:  # the client is alive, but has not started a session yet
                patience_s = max(self._config.idle_s, self._config.first_message_s)
                continue
            first, rest = messages[0], messages[1:]
            if isinstance(first, wire.StartMessage):
                if time.time() >= self._until:
                    raise Refused("unauthorized", "the token has expired", wire.CloseCode.unauthorized)
                attached = await self._registry.open(first, resumable=self._adapter.resumable)
            elif isinstance(first, wire.Resume):
                attached, self._missed = self._registry.resume(first)
            else:
                raise Refused("not_started", f"{_name(first)} before start", wire.CloseCode.bad_message)
            return attached, rest

    async def _incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes]:
        """Messages of a frame for the session; replies of the adapter itself are sent at once."""
        meant: list[wire.ClientMessage | bytes] = []
        for item in self._adapter.incoming(frame):
            if not isinstance(item, Reply):
                meant.append(item)
                continue
            try:
                await self._send(item.frame)
            except TimeoutError:
                raise _Left from None
        return meant

    async def _receive(self) -> wire.Frame:
        try:
            frame = await self._socket.receive()
        except _BROKEN:
            raise _Left from None
        if frame["type"] != "websocket.receive":
            raise _Left
        data: bytes | None = frame.get("bytes")
        return data if data is not None else str(frame.get("text", ""))

    async def _read(self, attached: Attached, connection: int, opening: Sequence[wire.ClientMessage | bytes]) -> None:
        try:
            for message in opening:
                await self._registry.driver.say(attached, message, connection)
            await self._listen(attached, connection)
        except _Left:
            raise
        except Exception:
            _log.exception("a message could not be taken")
            attached.session.ending.crashed()
            attached.changed()

    async def _listen(self, attached: Attached, connection: int) -> None:
        session = attached.session
        while not session.ended:
            try:
                await asyncio.wait_for(attached.room.wait(), _STALLED_S)
            except TimeoutError:
                if not session.full and not session.behind:
                    await self._cut_off()
                    return
                session.ending.stalled(too_fast=session.flow.too_fast(time.monotonic()))
                attached.changed()
                return
            frame = await self._receive()
            if attached.connection != connection:  # taken over; the client sends this again on the new one
                return
            try:
                for message in await self._incoming(frame):
                    await self._registry.driver.say(attached, message, connection)
            except Refused as refused:
                if refused.close is None:
                    session.refuse(refused.code, refused.message, param=refused.param)
                else:
                    session.ending.fail(refused.code, refused.message, refused.close)
                self._registry.driver.submit(attached)

    async def _write(self, attached: Attached, connection: int) -> None:
        try:
            for frame in self._missed:
                await self._send(frame)
            while True:
                attached.news.clear()
                if attached.connection != connection:
                    await self._close(wire.CloseCode.taken_over, "taken_over: a newer connection has the session")
                    return
                frames = attached.session.outbox.take(self._adapter.outgoing)
                if frames is not None:
                    for frame in frames:
                        await self._send(frame)
                    if not attached.room.is_set():
                        attached.changed()
                    continue
                if attached.session.ending.closing is not None:
                    await self._close(*attached.session.ending.closing)
                    return
                await attached.news.wait()
        except TimeoutError:
            await self._cut_off()

    async def _cut_off(self) -> None:
        with contextlib.suppress(TimeoutError, _Left):
            await asyncio.wait_for(self._close(wire.CloseCode.overloaded, "slow_reader: read faster"), 1.0)

    async def _send(self, frame: wire.Frame) -> None:
        send = self._socket.send_text(frame) if isinstance(frame, str) else self._socket.send_bytes(frame)
        try:
            await asyncio.wait_for(send, self._config.slow_reader_s)
        except _BROKEN:
            raise _Left from None

    async def _close(self, code: wire.CloseCode, reason: str) -> None:
        self._registry.telemetry.closed.labels(str(int(code))).inc()
        try:
            await self._socket.close(int(code), reason.encode()[:123].decode("utf-8", "ignore"))
        except _BROKEN:
            raise _Left from None


def _name(message: wire.ClientMessage | bytes) -> str:
    return "audio" if isinstance(message, bytes) else wire.tag(message)
