"""Record of all user-visible output of a checkout; two records are equal if no output has changed.

    uv run --extra train --extra serve benchmarks/record.py ROOT --output before
    uv run --extra train --extra serve benchmarks/record.py ROOT --output after --beside before

Files: the shipped clips and every N-th of ROOT's test part, one by one, as JSON with words and times, with and without
the language given. Live: all messages of sessions over a real socket, without fields for session ids and times; the
number of partials depends on the load of the machine. Scores: output of `speech score --json` on the texts of the
files.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from clips import every_nth
from rich.console import Console
from rich.progress import track

from serve.client import StreamClient
from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import Utterance, read_manifest, write_manifest

_VOLATILE = {"seq", "session", "resume_token", "lag_ms", "server"}
_OF_TIME = {"ack", "flow"}
_PORT = 9917
_BLOCK = 6400


def _files(clips: list[Utterance], output: Path, console: Console) -> None:
    recognizer = Recognizer.from_pretrained()
    with (output / "files.jsonl").open("w", encoding="utf-8") as lines, (output / "texts.jsonl").open("w") as texts:
        for clip in track(clips, "files", console=console):
            for language in (clip.language, "auto"):
                found = recognizer.transcribe(clip.audio, language=language)
                record = {"id": clip.id, "asked": language, **found.to_dict()}
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
            texts.write(json.dumps({"id": clip.id, "text": found.text}) + "\n")


async def _session(clip: Utterance) -> list[dict[str, Any]]:
    """Messages sorted by type and in order within a type, since a final may come before or after a later partial."""
    encoded = to_pcm16(load_audio(clip.audio))
    found: list[dict[str, Any]] = []
    async with StreamClient(f"ws://127.0.0.1:{_PORT}/v1/stream", words=True, reference=clip.text) as client:

        async def speak() -> None:
            for start in range(0, len(encoded), _BLOCK):
                await client.send(encoded[start : start + _BLOCK])
                await asyncio.sleep(0.05)
            await client.stop()

        speaking = asyncio.create_task(speak())
        async for event in client:
            if event["type"] not in _OF_TIME:
                found.append({key: value for key, value in event.items() if key not in _VOLATILE})
        await speaking
    return sorted(found, key=lambda event: (event["type"], event.get("is_final", True)))


def _live(clips: list[Utterance], output: Path, console: Console) -> None:
    command = [sys.executable, "-c", "from speech.cli.app import main; main()", "serve", "--no-fallback"]
    server = subprocess.Popen([*command, "--port", str(_PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{_PORT}/health/ready").status_code == 200:
                    break
            time.sleep(0.2)
        with (output / "live.jsonl").open("w", encoding="utf-8") as lines:
            for clip in track(clips, "live", console=console):
                for event in asyncio.run(_session(clip)):
                    lines.write(json.dumps({"id": clip.id, **event}, ensure_ascii=False) + "\n")
    finally:
        server.terminate()
        server.wait(60)


def _scores(clips: list[Utterance], output: Path) -> None:
    write_manifest(clips, output / "reference.jsonl")
    command = [sys.executable, "-c", "from speech.cli.app import main; main()", "score", "--encoder", "none"]
    arguments = [output / "reference.jsonl", output / "texts.jsonl", "--json", output / "scores.json"]
    subprocess.run([*command, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def _compare(before: Path, after: Path, console: Console) -> bool:
    same = True
    for name in ("files.jsonl", "live.jsonl", "scores.json"):
        old, new = ((folder / name).read_text("utf-8").splitlines() for folder in (before, after))
        differ = [n for n, lines in enumerate(zip_longest(old, new), start=1) if lines[0] != lines[1]]
        first = f", the first: {differ[0]}" if differ else ""
        console.print(f"{name}: {len(new)} lines, {len(differ)} differ{first}")
        same &= not differ
    return same


def main(
    root: Annotated[Path, typer.Argument(help="Folder with test.jsonl and the audio.", exists=True)],
    output: Annotated[Path, typer.Option(help="Folder to write to.")],
    beside: Annotated[Path | None, typer.Option(help="An earlier record to compare with.")] = None,
    every: Annotated[int, typer.Option(help="Of each language's clips, one in N.")] = 9,
    live: Annotated[int, typer.Option(help="Of these clips, one in N is also a live session.")] = 5,
) -> None:
    """Record the output of this checkout; exit with 1 if an earlier record differs."""
    console = Console(stderr=True)
    output.mkdir(parents=True, exist_ok=True)
    shipped = read_manifest(Path(str(files("speech") / "assets" / "clips" / "clips.jsonl")))
    clips = [*shipped, *every_nth(read_manifest(root / "test.jsonl"), every)]
    _files(clips, output, console)
    _live(clips[::live], output, console)
    _scores(clips, output)
    if beside is not None and not _compare(beside, output, console):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
