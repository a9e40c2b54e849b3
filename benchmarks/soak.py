"""Soak test of the server: hours of audio in one session, then thousands of short sessions, as fast as possible.

    uv run --extra train --extra serve benchmarks/soak.py ROOT --hours 2 --short 2000

Prints memory over time, its slope, leaked resources, and the lag of the event loop.
"""

import asyncio
import json
import random
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from live import server
from rich.console import Console
from rich.progress import Progress

from serve.client import StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import Utterance, read_manifest

AT_ONCE = 8
CLOSING_S = 5.0
SAMPLES = 24
"""Number of memory measurements in each part."""


def main(
    root: Path,
    hours: float = 2.0,
    short: int = 2000,
    policy: Annotated[str, typer.Option(help="Also translate into English, append-only, under this policy.")] = "",
    output: Annotated[Path | None, typer.Option(help="Write the measurements as JSON.")] = None,
) -> None:
    """Run both parts and print memory growth and leaks."""
    clips = read_manifest(root / "test.jsonl", root)
    start: dict[str, Any] = {}
    if policy:
        start = {"targets": ["eng"], "translation": {"policy": policy, "append": True}}
    console = Console(highlight=False)
    with server(320) as (url, process), Progress(console=console, transient=True) as progress:
        watch = Watch(url, process)
        asyncio.run(warm_up(url, clips, start))
        before = watch.left()
        task = progress.add_task("one session", total=hours * 3600)
        memory = asyncio.run(
            long_session(url, clips, start, hours * 3600, watch, lambda s: progress.update(task, completed=s))
        )
        report(console, "one session", "hour of audio", memory, 3600.0)
        task = progress.add_task("short sessions", total=short)
        memories = asyncio.run(short_sessions(url, clips, start, short, watch, lambda: progress.advance(task)))
        report(console, "short sessions", "1,000 sessions", memories, 1000.0)
        after = watch.left()
        for name in before:
            console.print(f"{name}: {before[name]:.0f} before, {after[name]:.0f} after")
        console.print(f"event loop, share of measurements within 50 ms: {watch.loop_within(0.05):.4f}")
    if output is not None:
        record = {"one session": memory, "short sessions": memories, "before": before, "after": after}
        output.write_text(json.dumps(record) + "\n", "utf-8")


class Watch:
    """Observes the server process from outside."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self._metrics = url.replace("ws://", "http://").replace("/v1/stream", "/metrics")
        self._folder = Path(f"/proc/{process.pid}")

    def memory_mb(self) -> float:
        """Resident memory in MB."""
        found = re.search(r"^Rss:\s+(\d+) kB", (self._folder / "smaps_rollup").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024

    def left(self) -> dict[str, float]:
        """Counts that must not grow, read after connections have had time to close."""
        time.sleep(CLOSING_S)
        return {
            "sessions": self._metric("speech_sessions"),
            "tasks": self._metric("speech_tasks"),
            "threads": float(len(list((self._folder / "task").iterdir()))),
            "open files": float(len(list((self._folder / "fd").iterdir()))),
        }

    def loop_within(self, seconds: float) -> float:
        """Share of measurements with an event-loop lag of at most `seconds`."""
        within = self._metric(f'speech_loop_lag_seconds_bucket{{le="{seconds}"}}')
        return within / self._metric("speech_loop_lag_seconds_count")

    def _metric(self, name: str) -> float:
        text = urllib.request.urlopen(self._metrics, timeout=10).read().decode()
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + " "))


def talk(clips: list[Utterance], seed: int) -> Iterator[bytes]:
    """Endless clips in random order, each followed by a pause, as PCM16."""
    rng = random.Random(seed)
    while True:
        samples = np.concatenate([load_audio(rng.choice(clips).audio), np.zeros(SAMPLE_RATE // 2, np.float32)])
        yield to_pcm16(samples)


async def warm_up(url: str, clips: list[Utterance], start: Mapping[str, Any]) -> None:
    """Run some sessions first, so that permanent allocations are made."""
    await asyncio.gather(*(short_session(url, clips, start, seed) for seed in range(2 * AT_ONCE)))


async def long_session(
    url: str,
    clips: list[Utterance],
    start: Mapping[str, Any],
    seconds: float,
    watch: Watch,
    progress: Callable[[float], None],
) -> list[tuple[float, float]]:
    """Run one long session; return (seconds of audio, MB)."""
    found: list[tuple[float, float]] = []
    async with StreamClient(url, **start) as client, asyncio.TaskGroup() as group:
        group.create_task(client.send_all(enough(clips, seconds)))
        async for event in client:
            if event["type"] == "ack":
                heard = event["processed_ms"] / 1000
                progress(heard)
                if heard >= len(found) * seconds / SAMPLES:
                    found.append((heard, watch.memory_mb()))
    return found


def enough(clips: list[Utterance], seconds: float) -> Iterator[bytes]:
    """`seconds` of `talk`, in messages of one second."""
    sent, block = 0, 2 * SAMPLE_RATE
    for data in talk(clips, 0):
        for start in range(0, len(data), block):
            yield data[start : start + block]
        sent += len(data) // 2
        if sent >= seconds * SAMPLE_RATE:
            return


async def short_session(url: str, clips: list[Utterance], start: Mapping[str, Any], seed: int) -> None:
    async with StreamClient(url, **start) as client, asyncio.TaskGroup() as group:
        group.create_task(client.send_all([next(talk(clips, seed))]))
        async for _ in client:
            pass


async def short_sessions(
    url: str,
    clips: list[Utterance],
    start: Mapping[str, Any],
    count: int,
    watch: Watch,
    progress: Callable[[], None],
) -> list[tuple[float, float]]:
    """Run short sessions, several at once; return (sessions, MB)."""
    found: list[tuple[float, float]] = []
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            if number % max(count // SAMPLES, 1) == 0:
                found.append((float(number), watch.memory_mb()))
            await short_session(url, clips, start, 1000 + number)
            progress()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return found


def report(console: Console, name: str, unit: str, memory: list[tuple[float, float]], scale: float) -> None:
    """Print first and last memory and the slope; the slope ignores the first quarter, while buffers grow."""
    late = np.array(memory[len(memory) // 4 :])
    (slope, _), cov = np.polyfit(late[:, 0], late[:, 1], 1, cov=True)
    error = 1.96 * float(np.sqrt(cov[0, 0]))
    console.print(
        f"{name}: {memory[0][1]:.0f} MB at first, {memory[-1][1]:.0f} MB at last; "
        f"{slope * scale:+.1f} ± {error * scale:.1f} MB per {unit}"
    )


if __name__ == "__main__":
    typer.run(main)
