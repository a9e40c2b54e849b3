"""The commands `speech serve` and `speech stream`."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI
from rich.console import Group
from rich.live import Live
from rich.text import Text
from websockets.exceptions import InvalidStatus, WebSocketException

from serve.app import build
from serve.client import ServerError, StreamClient
from serve.config import ServeConfig, load
from serve.net.connection import HttpProtocol, WebSocketProtocol
from serve.net.listening import address, bound, listen
from serve.sessions.registry import SessionRegistry
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import stream_audio
from speech.audio.input.pcm import to_pcm16
from speech.cli.address import parse_address, unreachable
from speech.cli.console import stderr, stdout, write
from speech.decode.bias.phrases import read_phrases
from speech.errors import SpeechError
from speech.text.lines import read_lines

_BLOCK_S = 0.1
_SHOWN = 300
_MOST_BLOCKS = 600


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
    config: Annotated[Path | None, typer.Option(help="YAML file with any field of `serve.config.ServeConfig`.")] = None,
) -> None:
    """Serve a model: live audio over websockets, files over HTTP."""
    flags = {"host": host, "port": port, "model": model, "chunk_ms": chunk_ms, "score_encoder": score_encoder}
    flags |= {"fallback": fallback, "translator": translator, "translator_model": translator_model}
    flags["voice_model"] = voice_model
    flags |= {"adapters": None if adapters is None else str(adapters), "allow_adapters": allow_adapters}
    flags["toxic_words"] = None if toxic_words is None else str(toxic_words)
    settings = load(flags, config)
    server = make_server(settings)
    server.announce = lambda url: stderr().print(f"speech on {url}, websocket /v1/stream, stop with Ctrl-C")
    server.run()
    if server.failed:
        raise SpeechError("the engine has failed", fix="See the log, then restart the server.")


def stream(
    file: Annotated[str | None, typer.Argument(help="Audio file.")] = None,
    microphone: Annotated[bool, typer.Option(help="Stream the default microphone.")] = False,
    url: Annotated[str, typer.Option(help="Address of the server.")] = "ws://127.0.0.1:8000/v1/stream",
    language: Annotated[list[str] | None, typer.Option(help="Language that may be spoken. Repeatable.")] = None,
    to: Annotated[list[str] | None, typer.Option(help="Language to translate into. Repeatable.")] = None,
    policy: Annotated[
        str,
        typer.Option(
            help="When a translation is written: complete (parts), or while the speaker goes on: align_att, "
            "local_agreement, hold_n, wait_k or emma."
        ),
    ] = "complete",
    latency_ms: Annotated[
        int | None, typer.Option(help="Latency setting of the policies align_att and local_agreement in ms.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Least probability of the policy emma, between 0 and 1. [default: 0.5]")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Never take back what a policy has written of a translation.")
    ] = False,
    phrase: Annotated[
        list[str] | None,
        typer.Option(
            help="Phrase to boost, such as a name; TEXT^2 doubles the boost; @FILE has one on each line. Repeatable."
        ),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Show text without capitals and punctuation.")] = False,
    reference: Annotated[
        str | None, typer.Option(help="Reference text to score against; @FILE has a sentence on each line.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="SPEECH_API_KEY", help="API key, if the server requires one.")
    ] = None,
    pace: Annotated[
        float, typer.Option(help="Speed at which a file is sent: 1 is real time, 0 as fast as possible.")
    ] = 1.0,
    jsonl: Annotated[bool, typer.Option(help="Print every event of the server as one line of JSON.")] = False,
) -> None:
    """Stream a file or the microphone to a server and show its results."""
    parse_address(url, ("ws", "wss"), "ws://127.0.0.1:8000/v1/stream")
    if (file is None) == (not microphone):
        raise SpeechError("nothing to stream", fix="Give a file or --microphone.")
    blocks = _microphone() if microphone else _paced(file or "", pace)
    phrases = [*map(str, read_phrases(phrase or []))]
    options: dict[str, Any] = {"languages": language or [], "targets": to or [], "phrases": phrases, "plain": plain}
    given = {"latency_ms": latency_ms, "threshold": threshold, "append": append or None}
    translation = {name: value for name, value in given.items() if value is not None}
    if policy != "complete" or translation:
        options["translation"] = {"policy": policy, **translation}
    sentences = read_reference(reference) if reference else []
    try:
        asyncio.run(_stream(url, api_key, options, sentences, blocks, jsonl))
    except* ServerError as errors:
        raise SpeechError(str(_first(errors)), where=url) from errors
    except* InvalidStatus as errors:
        raise _refused(_first(errors), url) from errors
    except* WebSocketException as errors:
        raise SpeechError(f"is not a speech server: {_first(errors)}", where=url) from errors
    except* OSError as errors:
        raise unreachable(_first(errors), url) from errors


def _first[E: Exception](errors: ExceptionGroup[E]) -> E:
    error: Any = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    found: E = error
    return found


def _refused(error: InvalidStatus, url: str) -> SpeechError:
    """The error of a handshake that was answered with a status other than 101."""
    status, body = error.response.status_code, error.response.body or b""
    said = (bytes(body[:_SHOWN]).decode("utf-8", "replace").strip().splitlines() or [error.response.reason_phrase])[0]
    fixes = {401: "Give --api-key, or set SPEECH_API_KEY.", 404: "Its path is /v1/stream.", 503: "Try again later."}
    return SpeechError(f"refused the connection, {status}: {said}", where=url, fix=fixes.get(status))


def read_reference(given: str) -> list[str]:
    """Sentences of a reference: one given text, or the lines of a file after `@`.

    Raises:
        FileError: if the file cannot be read, or is not UTF-8.
    """
    if not given.startswith("@"):
        return [given]
    return [line for line in read_lines(Path(given[1:])) if line.strip()]


async def _stream(
    url: str,
    api_key: str | None,
    options: dict[str, Any],
    sentences: Sequence[str],
    blocks: AsyncIterator[bytes],
    jsonl: bool,
) -> None:
    async with StreamClient(url, api_key=api_key, **options) as client, asyncio.TaskGroup() as group:
        for sentence in sentences:
            await client.refer(sentence, languages=options["languages"])
        sender = group.create_task(client.send_all(blocks))
        if jsonl:
            async for event in client:
                write(json.dumps(event, ensure_ascii=False) + "\n")
        else:
            await _show(client)
        sender.cancel()


async def _show(client: StreamClient) -> None:
    """Print finals above the current segment and its translations, whose unstable words are dim."""
    console = stdout()
    current: dict[str, Text] = {}  # lines of the current segment: the transcript, and each target
    with Live(console=console, auto_refresh=False, transient=True) as live:
        async for event in client:
            if event["type"] == "transcript" and event["is_final"]:
                codes = ",".join(share["code"] for share in event["languages"])
                current.pop("", None)
                console.print(_line(f"{event['start_ms'] / 1000:7.2f} {codes:8}", event["text"]))
            elif event["type"] == "transcript":
                current = {"": _growing("", event), **{key: line for key, line in current.items() if key}}
            elif event["type"] == "translation" and not event["is_final"]:
                current[event["target"]] = _growing(event["target"], event)
            elif event["type"] == "translation":
                current.pop(event["target"], None)
                console.print(_line(f"{'':7} {event['target']:8}", (event["text"], "italic")))
            elif event["type"] == "score":
                console.print(_line(f"{event['at_ms'] / 1000:7.2f} {'score':8}", _figures(event)))
            elif event["type"] in ("error", "warning"):
                console.print(Text.assemble((event["code"], "red"), f" {event['message']}"))
            elif event["type"] == "end":
                latency = event["latency"]
                console.print(_line(f"{event['audio_ms'] / 1000:.1f} s, {event['words']} words, {latency}", ""))
            live.update(Group(*current.values()), refresh=True)


def _growing(target: str, event: dict[str, Any]) -> Text:
    """The words of a segment so far; those that may change are dim."""
    words = [word["text"] for word in event["words"]]
    stable, rest = " ".join(words[: event["stable"]]), " ".join(words[event["stable"] :])
    return Text.assemble((f"{'':7} {target:8}", "dim"), " ", stable, " " if stable else "", (rest, "dim"))


def _line(aside: str, text: str | tuple[str, str]) -> Text:
    """A line with a dim prefix; nothing in it is read as markup."""
    return Text.assemble((aside, "dim"), " ", text)


def _figures(score: dict[str, Any]) -> str:
    """Scores on one line: of the finals so far, or of the whole reference at the end."""
    so_far, covered = score["so_far"], score["reference"]
    rates = [
        f"{name.upper()} {so_far[name]['rate']:.3f}"
        for name in ("wer", "cer", "mer", "pier")
        if so_far[name]["rate"] is not None
    ]
    meaning = [f"SAER {so_far['saer']:.3f}"] if so_far["saer"] is not None else []
    return f"{'  '.join([*rates, *meaning])}  ({'all' if score['is_final'] else covered['units']} of {covered['of']})"


async def _paced(file: str, pace: float) -> AsyncIterator[bytes]:
    """Yield PCM16 blocks of a file at `pace` times real time; 0: as fast as possible."""
    began, sent = time.monotonic(), 0
    size = int(_BLOCK_S * SAMPLE_RATE)
    for samples in stream_audio(file):
        for start in range(0, len(samples), size):
            block = samples[start : start + size]
            yield to_pcm16(block)
            sent += len(block)
            if pace:
                await asyncio.sleep(max(began + sent / SAMPLE_RATE / pace - time.monotonic(), 0))


async def _microphone() -> AsyncIterator[bytes]:
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise SpeechError(
            "the microphone needs the package sounddevice and PortAudio", fix="pip install sounddevice"
        ) from error
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes](_MOST_BLOCKS)
    lost = False

    def put(block: bytes) -> None:
        nonlocal lost
        lost = lost or queue.full()
        if not lost:
            queue.put_nowait(block)

    def heard(data: Any, *_: Any) -> None:
        loop.call_soon_threadsafe(put, bytes(data))

    with sounddevice.RawInputStream(
        SAMPLE_RATE, int(_BLOCK_S * SAMPLE_RATE), channels=1, dtype="int16", callback=heard
    ):
        while not (lost and queue.empty()):
            yield await queue.get()
    what = f"the server has accepted no audio from the microphone for {_MOST_BLOCKS * _BLOCK_S:.0f} s"
    raise SpeechError(what, fix="Check the network and the load of the server.")
