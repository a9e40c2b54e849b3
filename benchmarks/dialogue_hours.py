"""Hours of spoken dialogue over a websocket, with people who interrupt, say nothing, make noise and lose connections.

    python benchmarks/dialogue_hours.py ROOT --hours 2 --output benchmarks/results/dialogue_hours.json

Two people talk to one server, whose answers repeat what was said (`echo`), in real time with clips of ROOT/test.jsonl
in English, Spanish, French and German. What they do next is drawn with a seed: say something and hear the answer;
interrupt it with another clip; be silent; make noise (`sounds.py`); have their connection cut without a goodbye while
they speak or hear, which they resume. After five to twenty minutes they end the session and begin another.
`dialogue_ledger.py` counts what goes wrong. The figures so far are written at each twelfth of the time.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from clips import save
from conversing import Microphone, cut_off
from dialogue_ledger import Counts, Ledger
from dialogue_scenes import trimmed
from live import server
from rich.console import Console
from soak import Watch
from sounds import KINDS, levelled
from timing import machine

from serve.client import ServerError, StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest

LANGUAGES = ("eng", "spa", "fra", "deu")
DEEDS = {"ask": 0.45, "interrupt": 0.25, "be silent": 0.08, "make noise": 0.1, "be cut off": 0.12}
"""What somebody does next, and how often."""
PATIENCE_S = 20.0
"""For an answer to begin; then they go on."""
LONGEST_S = 40.0
"""For an answer to end; one that has not ended has been counted by then."""
PARTS = 12


class Person:
    """Somebody who talks.

    Args:
        url: of the server.
        clips: by language.
        seed: of what they do.
        counts: takes what is counted.
    """

    def __init__(self, url: str, clips: Mapping[str, Sequence[Utterance]], seed: int, counts: Counts) -> None:
        self._url, self._clips, self._counts = url, clips, counts
        self._rng = np.random.default_rng(seed)

    async def talk(self, until_s: float) -> None:
        """Hold sessions, one after the other, until a time of `time.monotonic`."""
        while time.monotonic() < until_s:
            language = LANGUAGES[int(self._rng.integers(len(LANGUAGES)))]
            end_s = min(until_s, time.monotonic() + float(self._rng.uniform(300.0, 1200.0)))
            self._counts.totals["sessions"] += 1
            try:
                async with asyncio.timeout(end_s - time.monotonic() + 2 * LONGEST_S):
                    await self._session(language, end_s)
            except* (ServerError, OSError, TimeoutError) as errors:
                self._counts.fault("sessions_failed", repr(errors.exceptions))
                await asyncio.sleep(1.0)

    async def _session(self, language: str, end_s: float) -> None:
        options = {"turn_model": bool(self._rng.random() < 0.7)}
        async with StreamClient(self._url, languages=[language], dialogue=options) as client:
            microphone, ledger = Microphone(client), Ledger(self._counts)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(microphone.send())
                    group.create_task(self._listen(client, ledger))
                    while time.monotonic() < end_s:
                        await self._act(client, microphone, ledger, language)
                    microphone.close()
            finally:
                self._counts.totals["connections_again"] += client.reconnect_attempts

    async def _listen(self, client: StreamClient, ledger: Ledger) -> None:
        async for event in client:
            ledger.take(event, time.monotonic())

    async def _act(self, client: StreamClient, microphone: Microphone, ledger: Ledger, language: str) -> None:
        deed = str(self._rng.choice(list(DEEDS), p=list(DEEDS.values())))
        self._counts.totals[deed] += 1
        if deed == "be silent":
            await asyncio.sleep(float(self._rng.uniform(1.0, 8.0)))
        elif deed == "make noise":
            if self._rng.random() < 0.5:
                await self._ask(microphone, ledger, language)
                await _until(lambda: ledger.sounds or not ledger.replies, 2.0)
            await microphone.say(self._noise())
        else:
            cutting = asyncio.create_task(self._cut(client, ledger)) if deed == "be cut off" else None
            await self._ask(microphone, ledger, language)
            if deed == "interrupt":
                await _until(lambda: ledger.sounds or not ledger.replies, 5.0)
                await asyncio.sleep(float(self._rng.uniform(0.1, 2.5)))
                await self._ask(microphone, ledger, language)
            if cutting is not None:
                await cutting
        await self._ended(ledger)
        await asyncio.sleep(float(self._rng.exponential(0.7)))

    async def _ask(self, microphone: Microphone, ledger: Ledger, language: str) -> None:
        """Say a clip and wait for a turn."""
        own = self._clips[language]
        chosen = own[int(self._rng.integers(len(own)))]
        before = ledger.turns
        await microphone.say(trimmed(load_audio(chosen.audio)))
        self._counts.totals["clips"] += 1
        if not await _until(lambda: ledger.turns > before and bool(ledger.replies), PATIENCE_S):
            if ledger.untaken:
                self._counts.fault("recognised_without_an_answer", f"{chosen.id}: {ledger.untaken!r}")
            else:
                self._counts.totals["clips_without_a_turn"] += 1  # no words, or some over our voice
        ledger.look(time.monotonic())

    async def _ended(self, ledger: Ledger) -> None:
        if not await _until(lambda: not ledger.replies, LONGEST_S):
            ledger.look(time.monotonic())

    async def _cut(self, client: StreamClient, ledger: Ledger) -> None:
        await asyncio.sleep(float(self._rng.uniform(0.0, 6.0)))
        ledger.cut_off()
        cut_off(client)
        self._counts.totals["cut_off"] += 1

    def _noise(self) -> np.ndarray:
        make = list(KINDS.values())[int(self._rng.integers(len(KINDS)))]
        count = round(float(self._rng.uniform(0.3, 1.5)) * SAMPLE_RATE)
        return levelled(make(count, self._rng), float(self._rng.uniform(-40.0, -18.0)))


async def _until(what: Any, seconds: float) -> bool:
    """Wait until something holds; whether it did in time."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def main(
    root: Path,
    hours: Annotated[float, typer.Option(help="How long.", min=0.01)] = 2.0,
    people: Annotated[int, typer.Option(help="At once.", min=1)] = 2,
    seed: int = 22,
    log: Annotated[Path | None, typer.Option(help="File for what the server logs.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Print the figures."""
    found = [clip for clip in read_manifest(root / "test.jsonl", root) if 1.0 <= clip.duration_s <= 5.0]
    clips = {code: [clip for clip in found if clip.language == code] for code in LANGUAGES}
    record: dict[str, Any] = {"hours": hours, "people": people, "seed": seed, **machine()}
    with server(320, voice_model="embedded-voice", answers="echo", log=log) as (url, process):
        watch, counts = Watch(url, process), Counts()
        asyncio.run(hold(url, clips, people, seed, hours * 3600, counts, watch, record, output))
        record["left"] = watch.left()
    if log is not None:
        record["errors_logged"] = len(re.findall(r"ERROR|Traceback", log.read_text("utf-8", "replace")))
    save(output, record)
    Console().print_json(data=record)


async def hold(
    url: str, clips: Mapping[str, Sequence[Utterance]], people: int, seed: int, seconds: float, counts: Counts,
    watch: Watch, record: dict[str, Any], output: Path | None,
) -> None:  # fmt: skip
    """Have people talk for some seconds; writes the figures at each twelfth."""
    began = time.monotonic()
    record["parts"] = [{"minutes": 0.0, "memory_mb": round(watch.memory_mb())}]
    talking = [
        asyncio.create_task(Person(url, clips, seed + one, counts).talk(began + seconds)) for one in range(people)
    ]
    for part in range(1, PARTS + 1):
        await asyncio.wait(talking, timeout=max(began + part * seconds / PARTS - time.monotonic(), 0.0))
        record["parts"].append(
            {
                "minutes": round((time.monotonic() - began) / 60, 1),
                "memory_mb": round(watch.memory_mb()),
                "turns": counts.totals["turns"],
                "load": round(os.getloadavg()[0], 2),
            }
        )
        save(output, record | figures(counts))
    await asyncio.gather(*talking)
    record |= figures(counts)


def figures(counts: Counts) -> dict[str, Any]:
    """What is written of counts; milliseconds are median, 95th percentile and most."""
    return {
        "counts": dict(sorted(counts.totals.items())),
        "first_sample_ms": percentiles(counts.first_ms),
        "said_again_ms": percentiles(counts.again_ms),
        "notes": counts.notes,
    }


def percentiles(values: Sequence[int]) -> list[int]:
    """Median, 95th percentile and largest; empty if there are none."""
    return [round(float(np.percentile(values, share))) for share in (50, 95, 100)] if values else []


if __name__ == "__main__":
    typer.run(main)
