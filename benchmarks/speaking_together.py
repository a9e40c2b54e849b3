"""Texts that are said at once: first packet, speed and gaps, in one batch, each by a model of its own, and in turn.

    python benchmarks/speaking_together.py VOICE --output benchmarks/results/speaking_together.json

Each stream is a thread that says sentences of `benchmarks/sentences/LANGUAGE.txt` with `Speaker.stream` and takes
packets as fast as they come; all streams of a round begin at once. There are three ways:

- together: one `Speaker` for all. Requests to an aligned model share its steps.
- apart: a `Speaker` with a model of its own for each, which share nothing but the machine.
- in turn: one `Speaker`, one text after the other, as if all had been asked for at once.

First packet is the time from the begin of the round. A gap is a packet that comes later than playback needs it, where
playback begins with the first packet and waits for late ones. The real-time factor in all is the time of the rounds
over all audio, that of a stream its time over its audio; below 1 it keeps up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from clips import save, table
from rich.console import Console
from speech_output import sentences
from timing import machine

from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions

WAYS = ("together", "apart", "in turn")


class Packet(NamedTuple):
    """A packet that has come."""

    at_s: float
    """From the begin of the round."""
    audio_s: float


class Gaps(NamedTuple):
    """Packets that came too late."""

    number: int
    seconds: float
    """That playback has waited in all."""


def listened(speaker: Speaker, text: str, options: SpeakingOptions, began: float) -> list[Packet]:
    """Say a text; when each packet has come."""
    return [
        Packet(time.perf_counter() - began, len(packet.samples) / speaker.sample_rate)
        for packet in speaker.stream([text], options)
        if len(packet.samples)
    ]


def gaps(packets: Sequence[Packet]) -> Gaps:
    """Gaps in the playback of packets, in order."""
    count, waited_s = 0, 0.0
    ends_s = packets[0].at_s if packets else 0.0
    for packet in packets:
        if packet.at_s > ends_s:
            count, waited_s, ends_s = count + 1, waited_s + packet.at_s - ends_s, packet.at_s
        ends_s += packet.audio_s
    return Gaps(count, waited_s)


def at_once(calls: Sequence[Callable[[float], list[Packet]]]) -> list[list[Packet]]:
    """Results of calls that begin at once, each in a thread; they are given the time of their begin."""
    began: list[float] = []
    barrier = threading.Barrier(len(calls), action=lambda: began.append(time.perf_counter()))

    def run(call: Callable[[float], list[Packet]]) -> list[Packet]:
        barrier.wait()
        return call(began[0])

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def one_round(way: str, speakers: Sequence[Speaker], texts: Sequence[str], code: str) -> list[list[Packet]]:
    """Say a text per stream.

    Args:
        way: one of `WAYS`.
        speakers: one per text.
        texts: of the streams; the seed of each is its number.
        code: language of the texts, ISO 639-3.
    """
    options = [SpeakingOptions(language=code, seed=number) for number in range(len(texts))]
    own = speakers[: len(texts)] if way == "apart" else [speakers[0]] * len(texts)
    if way == "in turn":
        began = time.perf_counter()
        return [listened(*one, began) for one in zip(own, texts, options, strict=True)]

    def saying(speaker: Speaker, text: str, wanted: SpeakingOptions) -> Callable[[float], list[Packet]]:
        return lambda began: listened(speaker, text, wanted, began)

    return at_once([saying(*one) for one in zip(own, texts, options, strict=True)])


def figures(way: str, rounds: Sequence[Sequence[list[Packet]]]) -> dict[str, Any]:
    """One row of the table, of rounds with equally many streams."""
    streams = [packets for own in rounds for packets in own if packets]
    audio_s = sum(packet.audio_s for packets in streams for packet in packets)
    took_s = sum(max((packets[-1].at_s for packets in own if packets), default=0.0) for own in rounds)
    late = [gaps(packets) for packets in streams]
    first = np.percentile([packets[0].at_s * 1000 for packets in streams], [50, 95])
    each = [packets[-1].at_s / sum(packet.audio_s for packet in packets) for packets in streams]
    return {
        "streams": len(rounds[0]),
        "way": way,
        "first_p50_ms": round(float(first[0])),
        "first_p95_ms": round(float(first[1])),
        "rtf": round(took_s / audio_s, 3),
        "stream_rtf_p50": round(float(np.median(each)), 3),
        "packets": sum(map(len, streams)),
        "gaps": sum(own.number for own in late),
        "gap_s": round(sum(own.seconds for own in late), 2),
        "audio_s": round(audio_s, 2),
    }


def measure(
    speakers: Sequence[Speaker], texts: Sequence[str], code: str, streams: Iterable[int], rounds: int
) -> list[dict[str, Any]]:
    """A row for each number of streams and way; the ways take turns, round by round.

    Args:
        speakers: as many as streams at most, with equal models.
        texts: are said in order, again and again.
        code: their language, ISO 639-3.
        streams: numbers of streams at once.
        rounds: of each.
    """
    for speaker in speakers:
        speaker.say(texts[0], SpeakingOptions(language=code))
    rows = []
    for count in streams:
        found: dict[str, list[list[list[Packet]]]] = {way: [] for way in WAYS}
        for number in range(rounds):
            own = [texts[(number * count + n) % len(texts)] for n in range(count)]
            for way in WAYS:
                found[way].append(one_round(way, speakers, own, code))
        rows += [figures(way, found[way]) for way in WAYS]
    return rows


def main(
    voice: Annotated[str, typer.Argument(help="Voice model: a directory or hub id.")],
    language: Annotated[str, typer.Option(help="ISO 639-3; of the sentences.")] = "eng",
    streams: Annotated[str, typer.Option(help="Numbers of texts at once, with commas between.")] = "1,2,4,8",
    rounds: Annotated[int, typer.Option(help="Texts of each stream.")] = 4,
    threads: Annotated[int, typer.Option(help="Of torch.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps ...")] = "cpu",
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(threads)
    counts = [int(count) for count in streams.split(",")]
    speakers = [Speaker.from_pretrained(voice, device=device) for _ in range(max(counts))]
    texts = sentences(language)
    rows = measure(speakers, texts, language, counts, rounds)
    Console(markup=False).print(table(rows))
    facts = {"voice": Path(voice).name, "language": language, "rounds": rounds, "threads": threads, "device": device}
    save(output, {**facts, **machine(), "rows": rows})


if __name__ == "__main__":
    typer.run(main)
