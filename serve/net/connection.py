"""uvicorn protocols that close the connections of clients that are gone or silent."""

from __future__ import annotations

import asyncio
import socket
from asyncio import BaseTransport

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

_SEND_BYTES = 32_768
"""Send buffer of a websocket, in the kernel and in the transport each. It is small, so that a client that does not read
is noticed after a few messages, and messages lost with the connection can be sent again (`serve.sessions.outbox`)."""
_LINGER_S = 1.0
_REQUEST_S = 10.0
_REST_S = 30.0
_FULL = b"\r\n".join(
    [
        b"HTTP/1.1 503 Service Unavailable",
        b"Retry-After: 5",
        b"Connection: close",
        b"Content-Type: text/plain",
        b"Content-Length: 37",
        b"",
        b"too many connections; try again later",
    ]
)


class HttpProtocol(H11Protocol):
    """An HTTP connection; closed if no request arrives in time, or if the rest of an answered one does not."""

    most = 0
    """Maximum number of open connections; a further one gets a 503 and is closed. 0: no limit."""

    def connection_made(self, transport: BaseTransport) -> None:
        self._surplus = 0 < self.most <= len(self.server_state.connections)
        self._timer: asyncio.TimerHandle | None = None
        super().connection_made(transport)  # type: ignore[arg-type]
        self._watch(_LINGER_S if self._surplus else _REQUEST_S)

    def data_received(self, data: bytes) -> None:
        if self._surplus:  # the client has sent a request, so it reads the answer
            self.transport.write(_FULL)
            self.transport.close()
            self._watch(_LINGER_S)
            return
        super().data_received(data)
        if self._unheard and (self._timer is None or self._watched is not self.cycle):
            self._watch(_REQUEST_S)  # for the rest of the next request

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch(None)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:  # answered before the body was read: discard it for a while
            self._watch(_REST_S)

    @property
    def _unheard(self) -> bool:
        """Whether the connection waits for a request."""
        return self.conn.their_state is h11.IDLE or self.cycle is None

    def _watch(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._watched = self.cycle
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        """Abort the connection if the awaited data has not arrived."""
        self._timer = None
        same = self.cycle is self._watched and (self._unheard or self.conn.our_state is h11.DONE)
        if self._surplus or (same and self.transport.get_protocol() is self):  # not upgraded to a websocket
            self.transport.abort()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A websocket that ends when it is closed, even if the client no longer reads."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_SEND_BYTES)
        with socket.fromfd(transport.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except InvalidState:  # invalid text before a close frame; the client can no longer be told
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        if self.read_paused:  # the pong may be queued behind audio that we do not read
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self._leave_after(_LINGER_S)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response is not None:  # a refused handshake, which uvicorn would log as an error
            self.handshake_complete = True

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._leave_after(_LINGER_S if self.close_timer is None else self.close_timeout + _LINGER_S)

    def _leave_after(self, seconds: float) -> None:
        """Abort after a delay: `transport.close` alone waits for the client to read the rest, without limit."""
        self.loop.call_later(seconds, self.transport.abort)
