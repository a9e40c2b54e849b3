"""Sessions at once: how soon words appear and become final, against a server of its own.

    uv run --extra serve benchmarks/live.py ROOT --sessions 1 --sessions 4 --sessions 8 --sessions 16

Each session streams clips of the test part in random order, half a second apart, in messages of 100 ms at the speed of
speech. Delays are wall-clock: from the moment at which the end of a word has been sent to the first partial transcript
that holds the word, and from the end of the last word of a segment to its final.
"""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from serve.client import StreamClient
from speech.audio.io import SAMPLE_RATE, load_audio
from speech.data.manifest import Utterance, read_manifest

BLOCK = SAMPLE_RATE // 10
GAP_S = 0.5


@dataclass
class Heard:
    """What one session measured, in seconds."""

    partials: list[float] = field(default_factory=list)
    finals: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    erasure: float = 0.0


def main(
    root: Path,
    sessions: Annotated[list[int] | None, typer.Option(help="How many at once; several times for several.")] = None,
    seconds: Annotated[float, typer.Option(help="Of speech for each session.")] = 60.0,
    chunk_ms: int = 320,
    output: Annotated[Path | None, typer.Option(help="Write every delay as JSON.")] = None,
) -> None:
    """Print a table of delays, and the processor time of the server."""
    clips = read_manifest(root / "test.jsonl", root)
    table = Table("sessions", "partial p50", "p95", "final p50", "p95", "lag p95", "erasure", "CPU cores", box=None)
    record: dict[str, Any] = {"chunk_ms": chunk_ms, "seconds": seconds, "runs": []}
    for count in sessions or [1, 4, 8, 16]:
        with server(chunk_ms) as (url, process):
            before, began = cpu_s(process), time.monotonic()
            heard = asyncio.run(many(url, [audio_of(clips, seconds, seed) for seed in range(count)]))
            cores = (cpu_s(process) - before) / (time.monotonic() - began)
        partials = [delay for one in heard for delay in one.partials]
        finals = [delay for one in heard for delay in one.finals]
        lags = [lag for one in heard for lag in one.lags]
        erasure = float(np.mean([one.erasure for one in heard]))
        table.add_row(
            str(count), *(milliseconds(partials, p) for p in (50, 95)), *(milliseconds(finals, p) for p in (50, 95)),
            milliseconds(lags, 95), f"{erasure:.2f}", f"{cores:.2f}",
        )  # fmt: skip
        record["runs"].append(
            {
                "sessions": count,
                "partials": partials,
                "finals": finals,
                "lags": lags,
                "erasure": erasure,
                "cores": cores,
            }
        )
    Console(highlight=False).print(table)
    if output is not None:
        output.write_text(json.dumps(record) + "\n", "utf-8")


@contextmanager
def server(chunk_ms: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of its own on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "speech.cli.app", "serve", "--port", str(port), "--chunk-ms", str(chunk_ms)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield f"ws://127.0.0.1:{port}/v1/stream", process
    finally:
        process.terminate()
        process.wait()


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def audio_of(clips: list[Utterance], seconds: float, seed: int) -> np.ndarray:
    """Clips in random order with pauses, as PCM16."""
    rng, parts, length = random.Random(seed), [], 0.0
    while length < seconds:
        samples = load_audio(rng.choice(clips).audio)
        parts += [samples, np.zeros(int(GAP_S * SAMPLE_RATE), np.float32)]
        length += len(samples) / SAMPLE_RATE + GAP_S
    return np.clip(np.rint(np.concatenate(parts) * 32768), -32768, 32767).astype("<i2")


async def many(url: str, audios: list[np.ndarray]) -> list[Heard]:
    """All sessions, begun within one chunk of each other."""
    return list(await asyncio.gather(*(one(url, audio, 0.02 * n) for n, audio in enumerate(audios))))


async def one(url: str, audio: np.ndarray, wait_s: float) -> Heard:
    await asyncio.sleep(wait_s)
    heard = Heard()
    async with StreamClient(url) as client, asyncio.TaskGroup() as group:
        began = time.monotonic()
        group.create_task(send(client, audio, began))
        seen: set[tuple[int, int]] = set()
        async for event in client:
            now = time.monotonic() - began
            if event["type"] == "transcript":
                notice(event, now, seen, heard)
            elif event["type"] == "ack":
                heard.lags.append(event["lag_ms"] / 1000)
            elif event["type"] == "end":
                heard.erasure = event["latency"]["normalized_erasure"]
    return heard


async def send(client: StreamClient, audio: np.ndarray, began: float) -> None:
    """A block when it has been spoken, not before."""
    for start in range(0, len(audio), BLOCK):
        end = min(start + BLOCK, len(audio))
        await asyncio.sleep(max(began + end / SAMPLE_RATE - time.monotonic(), 0))
        await client.send(audio[start:end].tobytes())
    await client.stop()


def notice(event: dict[str, Any], now: float, seen: set[tuple[int, int]], heard: Heard) -> None:
    """The delays that a transcript shows."""
    words = event["words"]
    if not event["is_final"]:
        for number, word in enumerate(words):
            if (event["segment"], number) not in seen:
                seen.add((event["segment"], number))
                heard.partials.append(now - word["end_ms"] / 1000)
    elif words and event.get("reason") != "stop":
        heard.finals.append(now - words[-1]["end_ms"] / 1000)


def milliseconds(delays: list[float], percent: float) -> str:
    return f"{1000 * float(np.percentile(delays, percent)):.0f} ms" if delays else "-"


if __name__ == "__main__":
    typer.run(main)
