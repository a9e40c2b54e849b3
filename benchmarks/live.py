"""Latency of partial and final results for concurrent sessions on a server, compared with a peer.

    uv run --extra train --extra serve --group peers benchmarks/live.py ROOT --model DIR
        --sessions 1 --sessions 4 --sessions 16 --peer MODEL_DIR --output benchmarks/results/live.json

Each session streams test clips of one language in random order, half a second apart, in messages of 100 ms in real
time; the language is given. Delays are wall-clock times in the client: for partials, from the end of a word to the
first transcript with it; for finals, from the end of speech to the final of the segment. The client runs on the same
cores. --within MS searches for the number of sessions with p95 latency of finals below MS, by doubling and then
bisection.

The peer (`local_agreement.py`) is Whisper-base by faster-whisper, int8, two threads. It has no segments, so its finals
are confirmed words, measured from the end of the word. MODEL_DIR is a CTranslate2 conversion of openai/whisper-base.
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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import local_agreement
import numpy as np
import typer
from peer import CODES
from rich.console import Console
from rich.table import Table
from timing import machine

from serve.client import ServerError, StreamClient
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import Utterance, read_manifest
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.hub import EMBEDDED

BLOCK = SAMPLE_RATE // 10
GAP_S = 0.5
BOUND_MS = 1000.0
LANGUAGES = ("eng", "deu", "fra", "spa", "rus", "ron", "bul", "ita")
"""Languages of the sessions in turn; both systems support them."""


@dataclass(frozen=True)
class Talk:
    """The audio and text of one session."""

    samples: np.ndarray
    text: str
    language: str


@dataclass
class Heard:
    """Measurements of one session, in seconds."""

    partials: list[float] = field(default_factory=list)
    finals: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    erasure: float = 0.0
    text: str = ""


def main(
    root: Path,
    model: str = EMBEDDED,
    sessions: Annotated[list[int] | None, typer.Option(help="How many at once; several times for several.")] = None,
    seconds: Annotated[float, typer.Option(help="Of speech for each session.")] = 60.0,
    chunk_ms: int = 320,
    workers: Annotated[int, typer.Option(min=1, help="Servers that share the sessions and the threads.")] = 1,
    within: Annotated[float | None, typer.Option(help="ms: find how many sessions have finals so soon.")] = None,
    most: Annotated[int, typer.Option(help="Sessions that are tried for --within.")] = 64,
    peer: Annotated[Path | None, typer.Option(help="Whisper-base, as CTranslate2 has it.")] = None,
    peer_sessions: Annotated[list[int] | None, typer.Option(help="How many at once for the peer.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write every delay as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw histogram and curve (extra train).")] = None,
) -> None:
    """Print latencies, error rates and CPU use."""
    clips = read_manifest(root / "test.jsonl", root)
    table = Table(
        "sessions", "partial p50", "p95", "final p50", "p95", "lag p95", "erasure", "WER", "CPU cores", box=None
    )
    console = Console(highlight=False, width=120)
    runs: list[dict[str, Any]] = []
    counts = list(sessions or [1, 4, 8, 16])
    soon: dict[int, bool] = {}
    while counts:
        count = counts.pop(0)
        run = our_run(console, model, [talk_of(clips, seconds, seed) for seed in range(count)], chunk_ms, workers)
        if run is not None:
            runs.append(run)
            add(table, run)
        soon[count] = run is not None and in_time(run, within or BOUND_MS)
        if within is not None and not counts:
            following = next_count(soon, most)
            counts = [] if following is None else [following]
    for count in (peer_sessions or [1, 2]) if peer is not None else []:
        talks = [talk_of(clips, seconds, seed) for seed in range(count)]
        runs.append(peer_run(peer, talks))
        add(table, runs[-1])
    console.print(table)
    capacity = sustained(soon)
    console.print(f"sessions with 95 of 100 finals within {within or BOUND_MS:.0f} ms: {capacity} of those tried")
    if output is not None:
        about = {"machine": machine(), "model": Path(model).name, "chunk_ms": chunk_ms, "workers": workers}
        about |= {"seconds": seconds, "within_ms": within or BOUND_MS, "sessions_within": capacity}
        output.write_text(json.dumps(about | {"runs": runs}) + "\n", "utf-8")
    if picture is not None:
        draw(runs, picture)


def our_run(console: Console, model: str, talks: Sequence[Talk], chunk_ms: int, workers: int) -> dict[str, Any] | None:
    """Run sessions on a fresh server; None if it rejects a session."""
    with ExitStack() as stack:
        servers = [stack.enter_context(server(chunk_ms, workers, model)) for _ in range(workers)]
        before, began = sum(cpu_s(process) for _, process in servers), time.monotonic()
        try:
            heard = asyncio.run(many([url for url, _ in servers], talks))
        except* ServerError as errors:
            console.print(f"{len(talks)} sessions: {errors.exceptions[0]}")
            heard = []
        cores = (sum(cpu_s(process) for _, process in servers) - before) / (time.monotonic() - began)
    return summary("speech", talks, heard, cores) if heard else None


def in_time(run: dict[str, Any], within_ms: float) -> bool:
    """Whether there are finals and their p95 latency is below `within_ms`."""
    return bool(run["finals"]) and 1000 * float(np.percentile(run["finals"], 95)) < within_ms


def sustained(soon: dict[int, bool]) -> int:
    """Largest tried number of sessions that was in time, below the smallest that was not."""
    late = min((count for count, holds in soon.items() if not holds), default=None)
    return max((count for count, holds in soon.items() if holds and (late is None or count < late)), default=0)


def next_count(soon: dict[int, bool], most: int) -> int | None:
    """Next number of sessions to try: doubled until late, then bisection; None when it is found."""
    best = sustained(soon)
    late = min((count for count, holds in soon.items() if not holds), default=None)
    if late is None:
        return min(max(2 * best, 1), most) if best < most else None
    return (best + late) // 2 if late - best > 1 else None


def summary(name: str, talks: Sequence[Talk], heard: Sequence[Heard], cores: float) -> dict[str, Any]:
    """Record of one run."""
    errors = [text_errors(talk.text, one.text, (talk.language,)).words for talk, one in zip(talks, heard, strict=True)]
    return {
        "system": name,
        "sessions": len(talks),
        **{key: [round(d, 4) for one in heard for d in getattr(one, key)] for key in ("partials", "finals", "lags")},
        "erasure": float(np.mean([one.erasure for one in heard])),
        "wer": sum(errors, ErrorCounts()).rate,
        "cores": cores,
    }


def add(table: Table, run: dict[str, Any]) -> None:
    """Add the row of a run to the table."""
    table.add_row(
        f"{run['system']}, {run['sessions']}", *(milliseconds(run["partials"], p) for p in (50, 95)),
        *(milliseconds(run["finals"], p) for p in (50, 95)), milliseconds(run["lags"], 95), f"{run['erasure']:.2f}",
        f"{run['wer']:.3f}", f"{run['cores']:.2f}",
    )  # fmt: skip


def peer_run(folder: Path, talks: Sequence[Talk]) -> dict[str, Any]:
    """Run the same sessions through the peer."""
    from faster_whisper import WhisperModel

    whisper = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)
    before, streams = time.process_time(), [
        local_agreement.Session(talk.samples.astype(np.float32) / 32768, CODES[talk.language]) for talk in talks
    ]  # fmt: skip
    local_agreement.run(whisper, streams)
    cores = (time.process_time() - before) / max(stream.finished for stream in streams)
    heard = [Heard(stream.shown, stream.settled, stream.lags, stream.erasure, stream.text) for stream in streams]
    return summary("Whisper-base, LocalAgreement-2", talks, heard, cores)


@contextmanager
def server(
    chunk_ms: int,
    workers: int = 1,
    model: str = EMBEDDED,
    voice_model: str = "",
    answers: str = "",
    log: Path | None = None,
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a server on a free port, one of `workers`, without a load limit; yields its URL and process. What it logs
    goes to the file `log`, if there is one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "speech.cli.app", "serve", "--port", str(port), "--chunk-ms", str(chunk_ms)]
    command += ["--model", model] + (["--voice-model", voice_model] if voice_model else [])
    command += ["--answers", answers] if answers else []
    environment = os.environ | {"SPEECH_MAX_LOAD": "1000"}
    if workers > 1:
        environment["SPEECH_READERS"] = "1"
    with open(os.devnull if log is None else log, "wb") as logged:  # noqa: PTH123
        process = subprocess.Popen(command, stderr=logged, env=environment)
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
    """CPU time of a process, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def talk_of(clips: Sequence[Utterance], seconds: float, seed: int) -> Talk:
    """Clips of one language in random order with pauses, as PCM16."""
    code = LANGUAGES[seed % len(LANGUAGES)]
    rng, parts, texts, length = random.Random(seed), [], [], 0.0
    some = [clip for clip in clips if clip.language == code]
    while length < seconds:
        clip = rng.choice(some)
        parts += [load_audio(clip.audio), np.zeros(int(GAP_S * SAMPLE_RATE), np.float32)]
        texts.append(clip.text)
        length += clip.duration_s + GAP_S
    samples = np.frombuffer(to_pcm16(np.concatenate(parts)), "<i2")
    return Talk(samples, " ".join(texts), code)


async def many(urls: Sequence[str], talks: Sequence[Talk]) -> list[Heard]:
    """Run all sessions, started 20 ms apart, distributed over the servers."""
    waits = (one(urls[n % len(urls)], talk, 0.02 * n) for n, talk in enumerate(talks))
    return list(await asyncio.gather(*waits))


async def one(url: str, talk: Talk, wait_s: float) -> Heard:
    await asyncio.sleep(wait_s)
    listener = Listener()
    async with StreamClient(url, languages=[talk.language]) as client, asyncio.TaskGroup() as group:
        began = time.monotonic()
        group.create_task(send(client, talk.samples, began))
        async for event in client:
            listener.notice(event, time.monotonic() - began)
    return listener.heard


async def send(client: StreamClient, audio: np.ndarray, began: float) -> None:
    """Send each block in real time, when it has been spoken."""
    for start in range(0, len(audio), BLOCK):
        end = min(start + BLOCK, len(audio))
        await asyncio.sleep(max(began + end / SAMPLE_RATE - time.monotonic(), 0))
        await client.send(audio[start:end].tobytes())
    await client.stop()


class Listener:
    """Measures the latencies of a session from its events."""

    def __init__(self) -> None:
        self.heard = Heard()
        self._shown: dict[int, int] = {}
        self._speech_end_s = 0.0

    def notice(self, event: dict[str, Any], now: float) -> None:
        """Handle one event, received `now` seconds after the session began."""
        match event["type"]:
            case "speech_ended":
                self._speech_end_s = event["at_ms"] / 1000
            case "transcript" if event["is_final"]:
                self.heard.text += event["text"] + " "
                if event["words"] and event.get("reason") == "silence":
                    self.heard.finals.append(now - self._speech_end_s)
            case "transcript":
                shown = self._shown.get(event["segment"], 0)
                self.heard.partials += [now - word["end_ms"] / 1000 for word in event["words"][shown:]]
                self._shown[event["segment"]] = max(shown, len(event["words"]))
            case "ack":
                self.heard.lags.append(event["lag_ms"] / 1000)
            case "end":
                self.heard.erasure = event["latency"]["normalized_erasure"]


def milliseconds(delays: Sequence[float], percent: float) -> str:
    """A percentile of delays, formatted in milliseconds."""
    return f"{1000 * float(np.percentile(delays, percent)):.0f} ms" if delays else "-"


def draw(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot delays of the largest run that keeps up, and percentiles over the number of sessions."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ours = [run for run in runs if run["system"] == "speech"]
    chosen = [run for run in ours if np.percentile(run["partials"], 95) < 0.5 or run is ours[0]][-1]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    bins = np.arange(0, 2.05, 0.05)
    for key, colour in (("partials", "#1f77b4"), ("finals", "#d62728")):
        left.hist(np.clip(chosen[key], 0, 2), bins, density=True, alpha=0.6, color=colour, label=key)
        for percent, style in ((50, ":"), (95, "-")):
            at = [1000 * np.percentile(run[key], percent) for run in ours]
            right.plot([run["sessions"] for run in ours], at, style, marker="o", color=colour,
                       label=f"{key} p{percent}")  # fmt: skip
    left.set(title=f"{chosen['sessions']} sessions", xlabel="delay, s (2: or more)", ylabel="density")
    right.set(title="sessions at once", xlabel="sessions", ylabel="delay, ms", xscale="log", yscale="log")
    right.set_xticks([run["sessions"] for run in ours], [str(run["sessions"]) for run in ours])
    right.minorticks_off()
    left.legend()
    right.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    typer.run(main)
