"""uvicorn's connections, of a server to which a client that has gone, or says nothing, must not cling."""

from __future__ import annotations

import socket
from asyncio import BaseTransport

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

_SEND_BYTES = 32_768
"""What may lie here on its way to a client, in the kernel and outside. Little, so that one that does not read is
noticed after some messages, and what is lost with the connection can be sent again (`serve.outbox`)."""
_LINGER_S = 1.0
_REQUEST_S = 10.0


class Requests(H11Protocol):
    """A connection that is closed if no request comes."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.loop.call_later(_REQUEST_S, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and self.transport.get_protocol() is self:  # not a websocket by now
            self.transport.abort()


class Connection(WebSocketsSansIOProtocol):
    """A websocket that ends when it is closed, whether the client still takes what was said to it or not."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_SEND_BYTES)
        with socket.fromfd(transport.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except InvalidState:  # what came before a close was no text, and there is nobody left to say so to
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        if self.read_paused:  # its answer may wait behind the audio that we do not take
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self._leave_after(_LINGER_S)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response is not None:  # we refuse the handshake, which uvicorn would log as a mistake
            self.handshake_complete = True

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._leave_after(_LINGER_S if self.close_timer is None else self.close_timeout + _LINGER_S)

    def _leave_after(self, seconds: float) -> None:
        """`transport.close` waits for the client to take what is left, without end."""
        self.loop.call_later(seconds, self.transport.abort)
