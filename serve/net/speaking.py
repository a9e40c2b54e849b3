"""Connections that take text and send speech."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from serve.engine.deadlines import Playback
from serve.engine.spoken_pieces import spoken_pieces
from serve.http.errors import Failure
from serve.net.auth import Authenticator, Denial, subprotocols
from serve.protocols.close_codes import CloseCode
from serve.protocols.openai_speech import SpeechApi
from serve.protocols.speaking_protocol import (
    Command,
    Frame,
    Opening,
    SpeakCancel,
    SpeakEnd,
    SpeakFlush,
    SpeakingProtocol,
    SpeakingRefused,
    SpeakText,
)
from serve.protocols.wire import SUBPROTOCOL
from serve.telemetry import Telemetry
from speech.errors import SpeechError
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions, SpeechStream

_log = logging.getLogger(__name__)
_BROKEN = (WebSocketDisconnect, RuntimeError)  # raised by Starlette if the client is gone


class SpeakingSocket:
    """One accepted connection. Its audio comes faster than it is played.

    Args:
        socket: the accepted websocket.
        api: what the server says texts with.
        speaker: of the server.
        protocol: reads and writes frames.
    """

    def __init__(self, socket: WebSocket, api: SpeechApi, speaker: Speaker, protocol: SpeakingProtocol) -> None:
        self._socket, self._api, self._speaker, self._config = socket, api, speaker, api.config
        self._protocol, self._text = protocol, ""
        self._waiting: deque[SpeakText | SpeakFlush | SpeakEnd] = deque()
        self._letters, self._busy = 0, False
        self._news, self._cancelled = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Serve the connection until it closes."""
        with contextlib.suppress(*_BROKEN, TimeoutError):
            try:
                await self._converse(await self._start())
            except SpeakingRefused as error:
                await self._end(error)
            except _BROKEN:
                raise
            except Exception:
                _log.exception("a text could not be said")
                await self._end(SpeakingRefused("internal", "the server failed; its log says why", CloseCode.internal))

    async def _converse(self, opening: Opening) -> None:
        self._accept(opening.commands)
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._speak(opening.options))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self, error: SpeakingRefused) -> None:
        await self._send(self._protocol.refused(error))
        reason = f"{error.code}: {error.message}".encode()[:120].decode("utf-8", "ignore")
        await self._socket.close(int(error.close), reason)

    async def _start(self) -> Opening:
        try:
            first = await asyncio.wait_for(self._frame(), self._config.first_message_s)
        except TimeoutError:
            text = f"no start within {self._config.first_message_s:g} s"
            raise SpeakingRefused("no_start", text, CloseCode.idle) from None
        opening = self._protocol.open(first)
        try:
            self._speaker.open(opening.options)
        except SpeechError as error:
            raise SpeakingRefused("bad_config", str(error), CloseCode.bad_config) from error
        await self._send(self._protocol.started())
        return opening

    async def _frame(self) -> Frame:
        frame = await self._socket.receive()
        if frame["type"] != "websocket.receive":
            raise WebSocketDisconnect
        text: str | None = frame.get("text")
        return text if text is not None else bytes(frame.get("bytes") or b"")

    async def _read(self) -> None:
        """Take commands while others are said, until the client has gone."""
        while True:
            try:
                frame = await asyncio.wait_for(self._frame(), self._config.idle_s)
            except TimeoutError:
                if self._waiting or self._busy:
                    continue
                raise SpeakingRefused("idle", f"nothing came for {self._config.idle_s:g} s", CloseCode.idle) from None
            self._accept(self._protocol.commands(frame))

    def _accept(self, commands: Sequence[Command]) -> None:
        """Let commands wait for their turn; a cancellation takes effect at once."""
        for command in commands:
            if isinstance(command, SpeakCancel):
                self._waiting.clear()
                self._letters = 0
                self._cancelled.set()
                continue
            self._letters += len(command.text) if isinstance(command, SpeakText) else 0
            if self._letters > self._config.max_speech_characters:
                text = f"{self._letters} characters wait, at most {self._config.max_speech_characters} may"
                raise SpeakingRefused("too_fast", text, CloseCode.too_fast)
            self._waiting.append(command)
        self._news.set()

    async def _speak(self, options: SpeakingOptions) -> None:
        """Say what is waiting, in order, until `end`."""
        text, turns, playback = self._speaker.open(options), self._api.turns, Playback()
        playback.ask(turns.clock())
        while True:
            if self._cancelled.is_set():
                self._cancelled.clear()
                text, self._text, playback = self._speaker.open(options), "", Playback()
                playback.ask(turns.clock())
                await self._send(self._protocol.cancelled())
            elif not self._waiting:
                self._news.clear()
                await self._news.wait()
                playback.ask(turns.clock())
            else:
                message = self._next()
                await self._say(text, message, playback)
                if self._cancelled.is_set():
                    continue
                if isinstance(message, SpeakFlush):
                    await self._send(self._protocol.flushed(text.seconds))
                elif isinstance(message, SpeakEnd):
                    await self._send(self._protocol.done(text.seconds))
                    await self._socket.close(int(CloseCode.done))
                    return

    def _next(self) -> SpeakText | SpeakFlush | SpeakEnd:
        """What is said next: texts that wait in a row are one."""
        message = self._waiting.popleft()
        if not isinstance(message, SpeakText):
            return message
        pieces = [message.text]
        while self._waiting and isinstance(more := self._waiting[0], SpeakText):
            pieces.append(more.text)
            self._waiting.popleft()
        return SpeakText("".join(pieces))

    async def _say(self, text: SpeechStream, message: SpeakText | SpeakFlush | SpeakEnd, playback: Playback) -> None:
        """Say what a message completes, up to a cancellation."""
        self._busy = True
        if isinstance(message, SpeakText):
            self._letters = max(self._letters - len(message.text), 0)
            self._text += message.text
        more = message.text if isinstance(message, SpeakText) else None
        said = self._api.turns.say(spoken_pieces(text, more, self._speaker.sample_rate), playback)
        try:
            while (timed := await self._unless_cancelled(said.next())) is not None:
                await self._send(self._protocol.packet(timed[0], self._text, timed[1]))
        finally:
            said.leave()
        self._busy = False

    async def _unless_cancelled[T](self, work: Awaitable[T]) -> T | None:
        """The result of work; None as soon as `cancel` comes."""
        ran = asyncio.ensure_future(work)
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({ran, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            if self._cancelled.is_set():
                return None
            return ran.result()
        except SpeechError as error:
            raise SpeakingRefused("cannot_be_said", str(error), CloseCode.bad_message) from error
        finally:
            cancelled.cancel()
            ran.add_done_callback(_seen)
            ran.cancel()

    async def _send(self, frames: Iterable[Frame]) -> None:
        """Send frames; binary ones not after a cancellation."""
        for frame in frames:
            if isinstance(frame, str):
                await asyncio.wait_for(self._socket.send_text(frame), self._config.slow_reader_s)
            elif not self._cancelled.is_set():
                await asyncio.wait_for(self._socket.send_bytes(frame), self._config.slow_reader_s)


async def serve_speaking(
    socket: WebSocket,
    auth: Authenticator,
    telemetry: Telemetry,
    api: SpeechApi,
    protocol: Callable[[Speaker], SpeakingProtocol],
) -> None:
    """Check, accept and serve a connection.

    Args:
        socket: the websocket, not accepted yet.
        auth, telemetry: of the server.
        api: what the server says texts with.
        protocol: makes what reads and writes the frames of this connection.
    """
    denied = auth.check(socket.headers, socket.query_params)
    if denied is None and api.speaker is None:
        denied = Denial(404, "no_voice", "this server has no voice; it is started with --voice-model for one")
    if denied is None:
        try:
            api.enter()
        except Failure as failure:
            denied = Denial(503, failure.code, failure.message)
    if denied is not None:
        telemetry.refused.labels(denied.code).inc()
        if "origin" not in socket.headers:
            await socket.send_denial_response(PlainTextResponse(denied.message, denied.status))
            return
    try:
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in subprotocols(socket.headers) else None)
        if denied is not None:
            await socket.close(int(denied.close), denied.message[:120])
            return
        assert api.speaker is not None
        telemetry.opened.labels("speak").inc()
        with contextlib.suppress(WebSocketDisconnect):
            await SpeakingSocket(socket, api, api.speaker, protocol(api.speaker)).run()
    finally:
        if denied is None:
            api.leave()


def _seen(work: asyncio.Future[Any]) -> None:
    """Retrieve the exception of abandoned work, so that asyncio does not log it."""
    if not work.cancelled():
        work.exception()
