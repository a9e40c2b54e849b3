"""Hallucinated words in twenty minutes of noise, music, tones and silence, compared with the peer in the same run.

    uv run --extra train --group peers benchmarks/nonspeech.py --model DIR --peer-model WHISPER_BASE
        --output benchmarks/results/nonspeech.json --texts sounds.jsonl

Clips of 2 to 60 s are synthesised from a seed (`sounds.py`). Live: the finals of a session. Offline: the transcript,
with the language unknown and English. Undetected: parts of at most 15 s fed directly to the model, as if the VAD had
detected speech everywhere. Words are counted without punctuation; characters in scripts without spaces. The peer loops
for minutes on some clips, so an interrupted run resumes from the file of --texts; use another file for another model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clips import save, written
from peer import Peer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sounds import clips
from timing import machine

from speech.audio import SAMPLE_RATE
from speech.decode.endpoint import Reason
from speech.events import TranscriptEvent
from speech.models.hub import EMBEDDED
from speech.recognize.full_context import FullContextPass
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.stream.engine import Engine
from speech.text.lines import byte_lines
from speech.transcript import join

BLOCK = SAMPLE_RATE // 10
PART_S = 15.0
SHOWN = 5

Transcribe = Callable[[np.ndarray], str]


def main(
    model: str = EMBEDDED,
    peer_model: Annotated[Path | None, typer.Option(help="Whisper-base, as CTranslate2 has it.")] = None,
    minutes: Annotated[float, typer.Option(help="Of sound.")] = 20.0,
    seed: int = 0,
    output: Annotated[Path | None, typer.Option(help="Write figures and texts as JSON.")] = None,
    texts: Annotated[Path | None, typer.Option(help="Write texts as JSON lines, as they come.")] = None,
) -> None:
    """Print words and clips with words, per kind of sound and system."""
    torch.set_num_threads(1)
    recognizer = Recognizer.from_pretrained(model)
    engine = recognizer.engine()
    systems: dict[str, Transcribe] = {
        "live": lambda samples: live(engine, samples),
        "offline": lambda samples: recognizer.transcribe(samples).text,
        "offline, eng": lambda samples: recognizer.transcribe(samples, language="eng").text,
        "undetected": lambda samples: undetected(engine.second_pass, samples),
    }
    peer = Peer(peer_model) if peer_model is not None else None
    if peer is not None:
        systems["peer"] = lambda samples: peer.transcribe(samples).text
        systems["peer, eng"] = lambda samples: peer.transcribe(samples, "eng").text
    found = hear(systems, minutes, seed, texts)
    console = Console(highlight=False, width=130)
    record = {"machine": machine(), "peer": peer.name if peer is not None else "", "minutes": minutes, "seed": seed}
    console.print(record)
    record["kinds"] = counted(found, list(systems))
    show(console, record["kinds"], list(systems))
    for name in systems:
        said = [f"{one['kind']}: {one['texts'][name][:60]!r}" for one in found if one["texts"][name].strip()]
        console.print(f"{name}: {'; '.join(said[:SHOWN]) or 'nothing'}")
    save(output, record | {"clips": found})


def hear(systems: dict[str, Transcribe], minutes: float, seed: int, texts: Path | None) -> list[dict[str, Any]]:
    """Output of each system for each clip; clips in the file of texts are not transcribed again."""
    done = list(map(json.loads, byte_lines(texts))) if texts is not None and texts.is_file() else []
    known = {(one["seed"], one["number"], one["kind"], one["seconds"]): one for one in done}
    found = []
    for number, (kind, samples) in enumerate(track(list(clips(minutes, seed)), "listening", transient=True)):
        about = {"seed": seed, "number": number, "kind": kind, "seconds": round(len(samples) / SAMPLE_RATE, 2)}
        one = known.get(tuple(about.values()))
        if one is None or set(systems) - set(one["texts"]):
            one = about | {"texts": {name: transcribe(samples) for name, transcribe in systems.items()}}
            if texts is not None:
                with texts.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(one, ensure_ascii=False) + "\n")
        found.append(one)
    return found


def live(engine: Engine, samples: np.ndarray) -> str:
    """The finals of a live session."""
    session = engine.open()
    events = []
    for start in range(0, len(samples), BLOCK):
        events += session.accept(samples[start : start + BLOCK])
    events += session.finish()
    return " ".join(event.text for event in events if isinstance(event, TranscriptEvent) and event.is_final)


def undetected(second_pass: FullContextPass, samples: np.ndarray) -> str:
    """Text of the second pass over all audio, without VAD."""
    texts, size, request = [], round(PART_S * SAMPLE_RATE), Request()
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        segment = Part(
            start=0, samples=part, keep_start=0, keep_end=len(part), speech_end=len(part), quiet=False, silent=False,
            decided=len(part), reason=Reason.stop,
        )  # fmt: skip
        heard = second_pass.read([segment], [request])[0]
        texts.append(join(second_pass.words(heard, request)))
    return " ".join(texts)


def counted(found: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    """Words and clips with words, per kind of sound and in total."""
    kinds = [*dict.fromkeys(one["kind"] for one in found), "all"]
    result: dict[str, Any] = {}
    for kind in kinds:
        some = [one for one in found if kind in (one["kind"], "all")]
        result[kind] = {"clips": len(some), "seconds": round(sum(one["seconds"] for one in some), 1)}
        for name in names:
            words = [len(written(one["texts"][name])) for one in some]
            result[kind][name] = {"words": sum(words), "clips": sum(count > 0 for count in words)}
    return result


def show(console: Console, kinds: dict[str, Any], names: list[str]) -> None:
    """Print the counts as a table."""
    table = Table("words (clips)", "clips", "s", *names)
    for kind, one in kinds.items():
        cells = [f"{one[name]['words']} ({one[name]['clips']})" for name in names]
        table.add_row(kind, str(one["clips"]), f"{one['seconds']:.0f}", *cells)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
