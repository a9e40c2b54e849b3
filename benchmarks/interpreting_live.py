"""Lag of speech-to-speech translation through a real socket: when a listener hears it.

    python benchmarks/interpreting_live.py ROOT --output benchmarks/results/interpreting_live.json

A server of its own says talks of `interpreting.py` in English, while they are sent at the speed of speech; the listener
plays samples when they come, behind those before. Seconds, median and p95 of all utterances: `span` from the beginning
of the speech to that of its translation, `end` between their ends, `late` for how long there was nothing to play within
an utterance. Client and server share the cores.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clips import save
from conversing import Microphone
from interpreting import ENGLISH, LANGUAGES, Talk, talks
from live import server
from rich.console import Console
from timing import machine

from serve.client import StreamClient


def main(
    root: Path,
    seconds: Annotated[float, typer.Option(help="Of speech, per language.")] = 60.0,
    sessions: Annotated[int, typer.Option(help="At once, each with a talk of its own.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Print median and p95."""
    found = [one for code in LANGUAGES for one in talks(root, code, seconds)[:1]]
    lags = list[dict[str, float]]()
    with server(320, voice_model="embedded-voice") as (url, _):
        for first in range(0, len(found), sessions):
            lags += asyncio.run(together(url, found[first : first + sessions]))
    record: dict[str, Any] = {"seconds": seconds, "sessions": sessions, "utterances": len(lags), **machine()}
    for name in ("span", "end", "late"):
        record[name] = [round(float(np.quantile([one[name] for one in lags], share)), 2) for share in (0.5, 0.95)]
    Console().print_json(data=record)
    save(output, record)


async def together(url: str, several: list[Talk]) -> list[dict[str, float]]:
    """Lags of the utterances of talks at once."""
    return [lag for own in await asyncio.gather(*(session(url, one) for one in several)) for lag in own]


async def session(url: str, talk: Talk) -> list[dict[str, float]]:
    """Lags of the utterances of one talk."""
    options: dict[str, Any] = {"languages": [talk.language], "targets": [ENGLISH]}
    options |= {"translation": {"policy": "align_att", "append": True}, "interpret": {"target": ENGLISH}}
    async with StreamClient(url, **options) as client, asyncio.TaskGroup() as group:
        microphone, lags = Microphone(client), list[dict[str, float]]()
        began = time.monotonic()
        group.create_task(microphone.send())
        said = group.create_task(microphone.say(talk.samples))
        said.add_done_callback(lambda _: microphone.close())
        played_s = 0.0
        async for event in client:
            if event["type"] != "translation_audio":
                continue
            now_s, length_s = time.monotonic() - began, len(event["pcm"]) / 2 / event["sample_rate"]
            source_s = [second / 1000 for second in event["source"]]
            if "text" in event:
                lags.append({"span": max(now_s, played_s) - source_s[0], "late": 0.0})
            else:
                lags[-1]["late"] += max(now_s - played_s, 0.0) if length_s else 0.0
            played_s = max(now_s, played_s) + length_s
            lags[-1]["end"] = played_s - source_s[1]
    return lags


if __name__ == "__main__":
    typer.run(main)
