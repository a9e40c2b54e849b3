"""The command `speech converse`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from serve.config import load
from serve.converse_view import ConverseView
from serve.conversing_client import ConversingClient, Heard
from serve.local_server import local_server
from serve.microphone import microphone, paced
from serve.stream_command import asked
from speech.audio.playback import check_player
from speech.choices import EMBEDDED_VOICE
from speech.cli.address import parse_address
from speech.cli.console import stderr, write
from speech.errors import SpeechError
from speech.files import check_readable, check_writable

_BLOCK_S = 0.032


def converse(
    echo: Annotated[bool, typer.Option("--echo", help="Answer with what was said.")] = False,
    script: Annotated[Path | None, typer.Option(help="Answer with the lines of a file, one after the other.")] = None,
    answers: Annotated[
        str | None, typer.Option(help="Answer by a chat endpoint, URL=MODEL; its key is in SPEECH_ANSWER_KEY.")
    ] = None,
    instructions: Annotated[str, typer.Option(help="What the answering model is told first.")] = "",
    language: Annotated[list[str] | None, typer.Option(help="Language that may be spoken. Repeatable.")] = None,
    voice: Annotated[str, typer.Option(help="Voice of the answers. [default: that of the language]")] = "",
    model: Annotated[str, typer.Option(help="Model that recognises: embedded, a directory, or a hub id.")] = "embedded",
    voice_model: Annotated[
        str, typer.Option(help="Model that speaks: embedded-voice, a directory, or a hub id.")
    ] = EMBEDDED_VOICE,
    url: Annotated[
        str | None, typer.Option(help="Address of a running server that answers. [default: one in this process]")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--input", help="Audio file in the place of the microphone; nothing is played.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="WAV file of both voices: the user left, the answers right.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="SPEECH_API_KEY", help="API key, if the server requires one.")
    ] = None,
    jsonl: Annotated[bool, typer.Option(help="Print every event of the server as one line of JSON.")] = False,
) -> None:
    """Talk with a model: speak, be answered aloud, and interrupt."""
    source = _answers(echo, script, answers, url)
    if url is not None:
        parse_address(url, ("ws", "wss"), "ws://127.0.0.1:8000/v1/stream")
    if file is not None:
        check_readable(Path(file))
    else:
        check_player()
    if output is not None:
        check_writable(output.parent)
    blocks = microphone(_BLOCK_S) if file is None else paced(file, 1.0, _BLOCK_S)
    start = {"languages": language or [], "dialogue": {"voice": voice, "instructions": instructions}}
    with _address(url, source, model, voice_model) as address:
        asked(address, _converse(address, api_key, start, blocks, file is not None, output, jsonl))


def _answers(echo: bool, script: Path | None, answers: str | None, url: str | None) -> str:
    """What answers, as a server's setting has it; empty: a running server does.

    Raises:
        SpeechError: if that is not one thing.
    """
    given = [*(["echo"] if echo else []), *([f"script:{script}"] if script else []), *([answers] if answers else [])]
    if url is not None and given:
        raise SpeechError("a running server has answers of its own", fix="Leave out --url, or the answers.")
    if url is None and len(given) != 1:
        what = "several answers" if given else "nothing answers"
        raise SpeechError(what, fix="Give one of --echo, --script FILE, --answers URL=MODEL, or --url.")
    return given[0] if given else ""


@contextlib.contextmanager
def _address(url: str | None, answers: str, model: str, voice_model: str) -> Iterator[str]:
    """The websocket of a running server, or of one in this process."""
    if url is not None:
        yield url
        return
    flags = {"port": 0, "model": model, "voice_model": voice_model, "answers": answers}
    with stderr().status("loading the models"):
        stack = contextlib.ExitStack()
        base = stack.enter_context(local_server(load(flags)))
    with stack:
        yield f"ws{base.removeprefix('http')}/v1/stream"


async def _converse(
    url: str,
    api_key: str | None,
    start: dict[str, Any],
    blocks: AsyncIterator[bytes],
    ends: bool,
    output: Path | None,
    jsonl: bool,
) -> None:
    view = None if jsonl else ConverseView()

    def show(event: Heard) -> None:
        if view is not None:
            view.show(event)
        else:
            write(
                json.dumps({name: value for name, value in event.items() if name != "pcm"}, ensure_ascii=False) + "\n"
            )

    client = ConversingClient(url, api_key, start, show, plays=not ends)
    with view or contextlib.nullcontext():
        try:
            await client.run(blocks, ends=ends)
        finally:
            if output is not None:
                client.recording.write(output)
