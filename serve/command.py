"""The command `speech serve`."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from serve.app import build
from serve.config import ServeConfig, load
from serve.net.connection import HttpProtocol, WebSocketProtocol
from serve.net.listening import address, bound, listen
from serve.sessions.registry import SessionRegistry
from speech.cli.console import stderr
from speech.errors import SpeechError


class Server(uvicorn.Server):
    """uvicorn server that drains on the first signal and stops at once on the second.

    While it drains, sessions get `goaway` and may continue for a while.

    Args:
        config: of uvicorn.
        settings: of this server.
        sockets: already bound.

    Attributes:
        failed: the server stops because the engine has failed; all sessions have been told.
        announce: called with the server's URL once it accepts requests.
    """

    def __init__(self, config: uvicorn.Config, settings: ServeConfig, sockets: list[socket.socket]) -> None:
        super().__init__(config)
        self._settings, self._sockets = settings, sockets
        self.announce: Callable[[str], None] = lambda address: None
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failed = False

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped. Raises ConfigError if another process has taken the port in the meantime."""
        try:
            super().run(sockets or self._sockets)
        finally:
            for one in self._sockets:
                one.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        listen(sockets or [], self._settings)
        await super().startup(sockets)
        if self.started:
            self.announce(address(self._sockets, self._settings))

    async def on_tick(self, counter: int) -> bool:
        registry = self._registry
        if registry is not None and registry.failed and self._draining is None:
            self.failed = True
            self._draining = asyncio.create_task(self._drain())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining is None and self._loop is not None and sig in (signal.SIGTERM, signal.SIGINT):
            self._draining = self._loop.create_task(self._drain())
            self._loop.call_soon_threadsafe(lambda: None)  # wake the event loop
        else:
            super().handle_exit(sig, frame)

    @property
    def _registry(self) -> SessionRegistry | None:
        app: FastAPI = self.config.app  # type: ignore[assignment]
        registry: SessionRegistry | None = app.state.parts.registry
        return registry

    async def _drain(self) -> None:
        if self._registry is not None:
            await self._registry.drain()
        self.should_exit = True


def make_server(config: ServeConfig) -> Server:
    """Create a server that is ready to `run`. The port is bound before the model is loaded.

    Raises:
        ConfigError: if the port is not available, or a required package is not installed.
        ModelError: if the model cannot be loaded.
    """
    sockets = bound(config)
    try:
        app = build(config)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return Server(
        uvicorn.Config(
            app,
            http=type("HttpProtocol", (HttpProtocol,), {"most": config.max_connections}),
            ws=WebSocketProtocol,
            loop="uvloop",
            ws_max_size=config.max_message_bytes,
            ws_ping_interval=config.ping_s,
            ws_ping_timeout=config.ping_s,
            ws_per_message_deflate=False,
            ssl_certfile=config.certfile or None,
            ssl_keyfile=config.keyfile or None,
            proxy_headers=False,  # any client may send X-Forwarded-For; nothing here depends on it
            timeout_graceful_shutdown=5,
            log_level="warning",
        ),
        config,
        sockets,
    )


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. [default: 8000]")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model: embedded, a directory, or a hub id. [default: embedded]")
    ] = None,
    chunk_ms: Annotated[
        int | None, typer.Option(help="Interval of partial results in ms: 160, 320, 640 or 1280. [default: 320]")
    ] = None,
    adapters: Annotated[
        Path | None,
        typer.Option(help="Folder of language adapters, also for uploaded ones. [default: those beside the model]"),
    ] = None,
    allow_adapters: Annotated[
        bool | None, typer.Option("--allow-adapters", help="Allow clients to upload and remove adapters over HTTP.")
    ] = None,
    toxic_words: Annotated[
        Path | None,
        typer.Option(
            help="Folder of lists of words, such as eng.txt, that a translation may not add; those that a text "
            "translator cannot leave out are reported. [default: none]"
        ),
    ] = None,
    score_encoder: Annotated[
        str | None,
        typer.Option(help="Sentence encoder of SAER in live scores: none, use, e5, labse or auto. [default: none]"),
    ] = None,
    fallback: Annotated[
        bool | None,
        typer.Option(
            "--fallback/--no-fallback",
            help="Under overload, let CTC write finals and leave out drafts. [default: --fallback]",
        ),
    ] = None,
    translator: Annotated[
        str | None,
        typer.Option(
            help="Text translator for further targets: DIR, hub id or URL, with =SOURCES:TARGETS (docs/translation.md)."
        ),
    ] = None,
    translator_model: Annotated[str | None, typer.Option(help="Model at the translator's URL.")] = None,
    voice_model: Annotated[str | None, typer.Option(help="Model that speaks: embedded-voice, DIR or hub id.")] = None,
    answers: Annotated[
        str | None, typer.Option(help="Answers of dialogues: URL=MODEL of a chat endpoint, script:FILE or echo.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with any field of `serve.config.ServeConfig`.")] = None,
) -> None:
    """Serve a model: live audio over websockets, files over HTTP."""
    flags = {"host": host, "port": port, "model": model, "chunk_ms": chunk_ms, "score_encoder": score_encoder}
    flags |= {"fallback": fallback, "translator": translator, "translator_model": translator_model}
    flags |= {"voice_model": voice_model, "answers": answers}
    flags |= {"adapters": None if adapters is None else str(adapters), "allow_adapters": allow_adapters}
    flags["toxic_words"] = None if toxic_words is None else str(toxic_words)
    settings = load(flags, config)
    server = make_server(settings)
    server.announce = lambda url: stderr().print(f"speech on {url}, websocket /v1/stream, stop with Ctrl-C")
    server.run()
    if server.failed:
        raise SpeechError("the engine has failed", fix="See the log, then restart the server.")
