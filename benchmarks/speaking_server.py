"""A server that speaks, over its websocket: first packet, gaps and memory, how fast it stops, and what is left out.

    python benchmarks/speaking_server.py TEXTS --requests 1000 --streams 4 --whisper DIR --output FILE
    python benchmarks/speaking_server.py TEXTS --hours 2 --paced

TEXTS has a sentence per line. `--streams` clients say them one after the other, each as fast as it comes, or with
`--paced` each once the one before has been played. A gap is a packet that comes later than playback needs it, where
playback begins with the first packet and waits for late ones. Then `--cancels` texts are cancelled after their first
packet. With `--hours` the texts go round until the time is over. Memory is that of the server, at the beginning and
after each twelfth of the texts. Of what was said Whisper-base (faster-whisper, int8) writes what it hears; four words
in a row that it does not hear, or hears twice, count as left out or repeated.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import websockets
from clips import save
from live import server
from rich.console import Console
from rich.progress import Progress, track
from soak import Watch
from speech_output import Said, recognised
from timing import machine

from serve.protocols.wire import SUBPROTOCOL
from speech.metrics.edit.error_rate import TextPair
from speech.metrics.speech_quality.skips import skipped_and_repeated
from speech.tts.text_front_end.spoken_text import spoken_text


@dataclass
class Heard:
    """A text as a client has got it."""

    text: str
    rate: int
    """Hz."""
    pieces: list[np.ndarray] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Of the pieces, in samples; the pieces themselves may be forgotten."""
    times: list[float] = field(default_factory=list)
    """Seconds from the request to each piece."""

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate(self.pieces) if self.pieces else np.zeros(0, np.float32)

    def late(self) -> list[float]:
        """Seconds that playback waits for pieces."""
        return self._played()[0]

    def to_play(self) -> float:
        """Seconds that playback goes on when the last piece has come."""
        return self._played()[1] - self.times[-1] if self.times else 0.0

    def _played(self) -> tuple[list[float], float]:
        waits, due = list[float](), self.times[0]
        for at, length in zip(self.times, self.lengths, strict=True):
            if at > due:
                waits.append(at - due)
            due = max(due, at) + length / self.rate
        return waits, due


def main(
    texts: Annotated[Path, typer.Argument(help="A sentence per line.")],
    model: Annotated[str, typer.Option(help="Voice model.")] = "embedded-voice",
    language: str = "eng",
    requests: Annotated[int, typer.Option(min=1)] = 1000,
    hours: Annotated[float, typer.Option(help="For so long, instead of a number of requests.", min=0.0)] = 0.0,
    streams: Annotated[int, typer.Option(help="Clients at once.", min=1)] = 4,
    paced: Annotated[bool, typer.Option("--paced", help="Clients hear a text before they ask for the next.")] = False,
    cancels: Annotated[int, typer.Option(help="Texts that are cancelled.")] = 20,
    whisper: Annotated[Path | None, typer.Option(help="CTranslate2 conversion of Whisper-base.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Print the figures."""
    lines = [line for line in texts.read_text("utf-8").splitlines() if line.strip()]
    cycled = itertools.cycle(lines)
    with server(320, voice_model=model) as (url, process), Progress(transient=True) as progress:
        watch, memory, heard = Watch(url, process), list[float](), list[Heard]()
        url = url.replace("/v1/stream", "/v1/speak")
        asyncio.run(clients(url, lines[:streams], streams, language, lambda _: None, paced=False))
        task, began = progress.add_task("texts", total=hours * 3600 or requests), time.monotonic()

        def over(one: Heard) -> None:
            if whisper is None:
                one.pieces.clear()
            heard.append(one)
            memory.append(watch.memory_mb())
            progress.update(task, completed=time.monotonic() - began if hours else len(heard))

        wanted = (
            itertools.takewhile(lambda _: time.monotonic() - began < hours * 3600, cycled)
            if hours
            else (itertools.islice(cycled, requests))
        )

        asyncio.run(clients(url, wanted, streams, language, over, paced=paced))
        stops = asyncio.run(cancelled(url, lines, cancels, language))
    rate = heard[0].rate
    record = {
        "model": Path(model).name, "language": language, "requests": len(heard), "hours": hours, "streams": streams,
        "paced": paced,
        **machine(),
        **speed(heard, rate), "memory_mb": twelfths(memory),
        "cancelled_p95_ms": percentile(stops, 0.95), "cancelled_most_ms": percentile(stops, 1.0),
    }  # fmt: skip
    if whisper is not None:
        record |= left_out(heard, rate, language, whisper)
    Console().print_json(json.dumps({key: value for key, value in record.items() if key != "suspicious"}))
    save(output, record)


async def clients(
    url: str, texts: Iterable[str], streams: int, language: str, over: Callable[[Heard], None], *, paced: bool
) -> None:
    """Say texts, `streams` at once all the time; `over` is called with each."""
    waiting: Iterator[str] = iter(texts)

    async def client() -> None:
        for text in waiting:
            heard = await said(url, text, language)
            over(heard)
            if paced:
                await asyncio.sleep(heard.to_play())

    await asyncio.gather(*(client() for _ in range(streams)))


async def said(url: str, text: str, language: str) -> Heard:
    """Say a text over a connection of its own."""
    async with websockets.connect(url, subprotocols=[SUBPROTOCOL], max_size=None) as socket:
        await socket.send(json.dumps({"type": "start", "language": language}))
        found = Heard(text, json.loads(await socket.recv())["sample_rate"])
        began = time.perf_counter()
        await socket.send(json.dumps({"type": "text", "text": text}))
        await socket.send(json.dumps({"type": "end"}))
        async for message in socket:
            if isinstance(message, bytes):
                found.times.append(time.perf_counter() - began)
                found.pieces.append(np.frombuffer(message, "<i2").astype(np.float32) / 32768)
                found.lengths.append(len(message) // 2)
            elif (event := json.loads(message))["type"] == "error":
                raise RuntimeError(f"{text!r}: {event}")
    return found


async def cancelled(url: str, texts: Sequence[str], count: int, language: str) -> list[float]:
    """Seconds from each cancel to its answer, on one connection."""
    stops: list[float] = []
    async with websockets.connect(url, subprotocols=[SUBPROTOCOL], max_size=None) as socket:
        await socket.send(json.dumps({"type": "start", "language": language}))
        await socket.recv()
        for text in itertools.islice(itertools.cycle(texts), count):
            await socket.send(json.dumps({"type": "text", "text": text}))
            await socket.send(json.dumps({"type": "flush"}))
            while not isinstance(await socket.recv(), bytes):
                pass
            began = time.perf_counter()
            await socket.send(json.dumps({"type": "cancel"}))
            while True:
                message = await socket.recv()
                if not isinstance(message, bytes) and json.loads(message)["type"] == "cancelled":
                    break
            stops.append(time.perf_counter() - began)
    return stops


def speed(heard: Sequence[Heard], rate: int) -> dict[str, Any]:
    """First packets, gaps, and real-time factors of the streams."""
    first = [one.times[0] for one in heard]
    waits = [wait for one in heard for wait in one.late()]
    audio_s = sum(sum(one.lengths) for one in heard) / rate
    return {
        "audio_s": round(audio_s, 1),
        "first_p50_ms": percentile(first, 0.5),
        "first_p95_ms": percentile(first, 0.95),
        "packets": sum(len(one.lengths) for one in heard),
        "late_packets": len(waits),
        "late_s": round(sum(waits), 2),
        "rtf_of_a_stream": round(sum(one.times[-1] for one in heard) / audio_s, 3),
    }


def twelfths(memory: Sequence[float]) -> list[int]:
    """Memory at the beginning and after each twelfth of the texts, in MB."""
    return [round(memory[round(part * (len(memory) - 1) / 12)]) for part in range(13)]


def percentile(seconds: Sequence[float], share: float) -> int:
    """In milliseconds."""
    ordered = sorted(seconds)
    return round(1000 * ordered[round(share * (len(ordered) - 1))]) if ordered else 0


def left_out(heard: Sequence[Heard], rate: int, language: str, whisper: Path) -> dict[str, Any]:
    """Word error rate, and texts of which words were left out or said twice."""
    from faster_whisper import WhisperModel

    recogniser = WhisperModel(str(whisper), device="cpu", compute_type="int8", cpu_threads=2)
    errors, suspicious = [], []
    for one in track(heard, description="recognising", transient=True):
        text = recognised(recogniser, Said(one.samples, rate, 0.0, 0.0), language)
        pair = TextPair(spoken_text(one.text, language), spoken_text(text, language), [language])
        errors.append(pair.word_errors)
        skips, repeats = skipped_and_repeated(pair.mixed)
        if skips or repeats:
            suspicious.append({"said": one.text, "heard": text})
    whole = sum(errors[1:], errors[0])
    return {"wer": round(whole.rate, 4), "words": whole.reference_length, "skips_or_repeats": len(suspicious),
            "suspicious": suspicious}  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
