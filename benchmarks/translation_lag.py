"""Lag of simultaneous translation through real sockets: how long after its audio a translation message is sent.

    python benchmarks/translation_lag.py ROOT --sessions 1 --sessions 4 --output benchmarks/results/translation_lag.json

A server of its own; each session streams translated test clips of one language at the speed of speech, half a second
apart, with the policy AlignAtt and appended text. A draft is due at a fixed sample of the stream; its lag is the audio
that arrived between that sample and the message. Finals are due at the end of their part, so their lag holds the pause
that ends it, and is counted apart. Client and server share the cores.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clips import save
from live import BLOCK, GAP_S, server
from rich.console import Console
from timing import machine
from translation import ENGLISH, LANGUAGES

from serve.client import StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import Utterance, read_manifest
from speech.models.hub import EMBEDDED


def main(
    root: Path,
    model: str = EMBEDDED,
    sessions: Annotated[list[int] | None, typer.Option(help="Concurrent sessions. Repeatable.")] = None,
    seconds: Annotated[float, typer.Option(help="Audio of each session.")] = 90.0,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Print median and p95."""
    translated = [u for u in read_manifest(root / "test.jsonl", root) if u.translations.get(ENGLISH)]
    console = Console(highlight=False, width=120)
    record: dict[str, Any] = {"machine": machine(), "seconds": seconds, "sessions": {}}
    for count in sessions or [1, 4]:
        with server(320, model=model) as (url, _):
            talks = [talk(translated, n, seconds) for n in range(count)]
            asyncio.run(together(url, talks[:1], least_s=5.0))  # warm-up
            drafts, finals = asyncio.run(together(url, talks))
        record["sessions"][count] = {"drafts": summary(drafts), "finals": summary(finals)}
        console.print(f"{count} sessions:", record["sessions"][count])
    save(output, record)


def talk(utterances: list[Utterance], number: int, seconds: float) -> tuple[str, np.ndarray]:
    """A language, and audio of it."""
    language = [code for code in LANGUAGES if sum(u.language == code for u in utterances) > 9][number % 3]
    clips = [u for u in utterances if u.language == language]
    random.Random(number).shuffle(clips)
    pieces, gap = list[np.ndarray](), np.zeros(round(GAP_S * SAMPLE_RATE), np.float32)
    while sum(map(len, pieces)) < seconds * SAMPLE_RATE:
        pieces += [load_audio(clips[len(pieces) // 2 % len(clips)].audio), gap]
    return language, np.concatenate(pieces)[: round(seconds * SAMPLE_RATE)]


async def together(
    url: str, talks: list[tuple[str, np.ndarray]], least_s: float | None = None
) -> tuple[list[float], list[float]]:
    """Lags in ms of all sessions' drafts and finals."""
    found = await asyncio.gather(*(session(url, *one, least_s) for one in talks))
    return [lag for drafts, _ in found for lag in drafts], [lag for _, finals in found for lag in finals]


async def session(
    url: str, language: str, samples: np.ndarray, least_s: float | None
) -> tuple[list[float], list[float]]:
    """Lags in ms of one session's drafts and finals; `least_s`: stream only so much."""
    drafts, finals = list[float](), list[float]()
    samples = samples if least_s is None else samples[: round(least_s * SAMPLE_RATE)]
    translation = {"policy": "align_att", "append": True}
    async with StreamClient(url, languages=[language], targets=[ENGLISH], translation=translation) as client:

        async def listen() -> None:
            async for event in client:
                if event["type"] == "translation" and event["text"]:
                    (finals if event["is_final"] else drafts).append(event["lag_ms"])

        listener = asyncio.create_task(listen())
        began = time.monotonic()
        for start in range(0, len(samples), BLOCK):
            await asyncio.sleep(max(began + start / SAMPLE_RATE - time.monotonic(), 0.0))
            await client.send(to_pcm16(samples[start : start + BLOCK]))
        await client.send_all([])
        await listener
    return drafts, finals


def summary(lags: list[float]) -> dict[str, float]:
    """Count, median and 95th percentile in ms."""
    return {
        "messages": len(lags),
        "p50_ms": statistics.median(lags),
        "p95_ms": round(statistics.quantiles(lags, n=20)[-1]),
    }


if __name__ == "__main__":
    typer.run(main)
