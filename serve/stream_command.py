"""The command `speech stream`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text
from websockets.exceptions import InvalidStatus, WebSocketException

from serve.client import ServerError, StreamClient
from serve.microphone import microphone as listened
from serve.microphone import paced
from serve.translation_player import TranslationPlayer
from speech.audio.playback import check_player
from speech.cli.address import parse_address, unreachable
from speech.cli.console import stdout, write
from speech.decode.bias.phrases import read_phrases
from speech.errors import SpeechError
from speech.files import check_writable
from speech.text.lines import read_lines

_SHOWN = 300


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
    speak: Annotated[
        bool, typer.Option("--speak", help="Hear the translation while the speaker goes on; with headphones.")
    ] = False,
    voice: Annotated[str, typer.Option(help="Voice that says it. [default: that of the language]")] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            help="WAV file in the place of playing: the speaker left, the translation right, when it is heard."
        ),
    ] = None,
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
    interpret = _interpret(speak, to or [], voice, output)
    blocks = listened() if microphone else paced(file or "", pace)
    phrases = [*map(str, read_phrases(phrase or []))]
    options: dict[str, Any] = {"languages": language or [], "targets": to or [], "phrases": phrases, "plain": plain}
    given = {
        "latency_ms": latency_ms,
        "threshold": threshold,
        "append": append or (speak and policy != "complete") or None,
    }
    translation = {name: value for name, value in given.items() if value is not None}
    if policy != "complete" or translation:
        options["translation"] = {"policy": policy, **translation}
    sentences = read_reference(reference) if reference else []
    player = TranslationPlayer(plays=output is None) if interpret else None
    work = _stream(url, api_key, options | interpret, sentences, blocks, player, jsonl)
    with player or contextlib.nullcontext():
        try:
            asked(url, work)
        finally:
            if player is not None and output is not None and player.recording.seconds:
                player.recording.write(output)


def _interpret(speak: bool, to: Sequence[str], voice: str, output: Path | None) -> dict[str, Any]:
    """What `start` says of a translation that is heard.

    Raises:
        SpeechError: if it is not clear which one, or nothing is to be heard.
        ConfigError: if nothing here can play.
        FileError: if the folder of `output` cannot be written.
    """
    if not speak:
        if voice or output is not None:
            raise SpeechError("--voice and --output are for a translation that is heard", fix="Add --speak.")
        return {}
    if len(to) != 1:
        raise SpeechError(f"--speak says one translation, not {len(to)}", fix="Give one --to.")
    if output is not None:
        check_writable(output.parent)
    else:
        check_player()
    return {"interpret": {"target": to[0], "voice": voice}}


def asked(url: str, work: Coroutine[Any, Any, None]) -> None:
    """Run what asks a server.

    Raises:
        SpeechError: if it refuses, fails, or cannot be reached, or the work does.
    """
    try:
        asyncio.run(work)
    except* SpeechError as errors:
        raise _first(errors) from errors
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
    player: TranslationPlayer | None,
    jsonl: bool,
) -> None:
    async with StreamClient(url, api_key=api_key, **options) as client, asyncio.TaskGroup() as group:
        for sentence in sentences:
            await client.refer(sentence, languages=options["languages"])
        sender = group.create_task(client.send_all(blocks if player is None else player.heard(blocks)))
        events = _played(client, player)
        if jsonl:
            async for event in events:
                kept = {name: value for name, value in event.items() if name != "pcm"}
                write(json.dumps(kept, ensure_ascii=False) + "\n")
        else:
            await _show(events)
        sender.cancel()


async def _played(client: StreamClient, player: TranslationPlayer | None) -> AsyncIterator[dict[str, Any]]:
    """The events of a session, whose sound is played or recorded."""
    async for event in client:
        if player is not None:
            player.take(event)
        yield event


async def _show(events: AsyncIterator[dict[str, Any]]) -> None:
    """Print finals above the current segment and its translations, whose unstable words are dim."""
    console = stdout()
    current: dict[str, Text] = {}  # lines of the current segment: the transcript, and each target
    with Live(console=console, auto_refresh=False, transient=True) as live:
        async for event in events:
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
