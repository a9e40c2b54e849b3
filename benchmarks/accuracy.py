"""Error rate and speed on a test manifest, compared with the peer in the same run or with its earlier results.

    uv run --extra train --group peers benchmarks/accuracy.py ROOT --model DIR --peer-model WHISPER_BASE --every 20
        --output benchmarks/results/accuracy.json --texts texts.jsonl

Each system transcribes every clip with the language given and with it unknown; both use the same normaliser. The
systems take turns in going first, on one thread of one process. RTF is processing time over audio duration, with the
samples already in memory. --together also transcribes all files at once on all cores, as `speech transcribe DIR` does.
Clips in the file of --texts are not transcribed again, so an interrupted run resumes; use another file for another
model. The peer is that of `peer.py`; its earlier results (`whisper_peer.py`) have no CPU time.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from clips import cased_errors, every_nth, save, worst
from peer import CODES, Peer, Said
from rich.console import Console
from rich.progress import track
from rich.table import Table
from timing import Spent, machine, timed

from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.errors import LanguageError, SpeechError
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.hub import EMBEDDED
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.text.lines import byte_lines
from speech.text.normalize import NORMALIZER_VERSION

OURS, OURS_FREE, PEER, PEER_FREE = "ours", "ours, free", "peer", "peer, free"
SYSTEMS = (OURS, OURS_FREE, PEER, PEER_FREE)
"""Each system with the language given, and without ("free")."""
LONG_S, IDENTIFIED_S = 8.0, 2.0

Count = Callable[[str, str, Sequence[str]], ErrorCounts]
"""Errors of a reference, a hypothesis and the codes of all spoken languages."""


@dataclass(slots=True)
class Row:
    """A clip and the outputs of the systems."""

    clip: Utterance
    said: dict[str, Said] = field(default_factory=dict)


def main(
    root: Path,
    peer: Annotated[Path | None, typer.Option(help="JSON lines of benchmarks/whisper_peer.py.")] = None,
    peer_model: Annotated[Path | None, typer.Option(help="Whisper-base, as CTranslate2 has it.")] = None,
    model: str = EMBEDDED,
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 1,
    threads: int = 1,
    together: Annotated[bool, typer.Option(help="Also read all files at once.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
    texts: Annotated[Path | None, typer.Option(help="Write hypotheses and times as JSON lines.")] = None,
) -> None:
    """Print the tables."""
    torch.set_num_threads(threads)
    clips = every_nth(read_manifest(root / "test.jsonl", root), every)
    Recognizer.from_pretrained(model)  # warms the file cache
    recognizer, load = timed(lambda: Recognizer.from_pretrained(model))
    other = Peer(peer_model, threads=threads) if peer_model is not None else None
    earlier = {row["id"]: row for row in map(json.loads, byte_lines(peer))} if peer is not None else {}
    rows = hear(recognizer, other, clips, texts)
    for row in rows:
        row.said |= from_file(earlier.get(row.clip.id, {}))
    record: dict[str, Any] = {
        "machine": machine(),
        "threads": threads,
        "every": every,
        "normalizer": NORMALIZER_VERSION,
    }
    record |= {"normalizer": NORMALIZER_VERSION, "clips": len(rows)}
    record |= {"seconds": round(sum(row.clip.duration_s for row in rows), 1)}
    record |= {"load_s": round(load.wall_s, 2), "peer": other.name if other is not None else str(peer or "")}
    console = Console(highlight=False, width=130)
    console.print(", ".join(f"{key} {value}" for key, value in record.items()))
    title = f"WER (characters for Chinese and Japanese), normaliser {NORMALIZER_VERSION}"
    record["wer"] = rates(console, title, rows, word_errors)
    record["cer"] = {name: round(total(rows, name, character_errors).rate, 4) for name in SYSTEMS}
    console.print("CER without spaces:", ", ".join(f"{name} {rate:.3f}" for name, rate in record["cer"].items()))
    record["cased"] = rates(
        console, "WER with case and punctuation (NFC, what stands between spaces)", rows, cased_errors
    )
    record["worst"] = weakest(console, rows)
    record["identified"] = identified(console, rows)
    record["rtf"] = speeds(console, rows)
    save(output, record)
    if together:
        record["together"] = all_at_once(console, recognizer, rows)
        save(output, record)


def hear(recognizer: Recognizer, peer: Peer | None, clips: Sequence[Utterance], texts: Path | None = None) -> list[Row]:
    """Transcribe each clip with both systems; results are appended to the file of texts and reused from it."""
    done = read_rows(texts, clips) if texts is not None and texts.is_file() else []
    known = {row.clip.id for row in done}
    todo = [clip for clip in clips if clip.id not in known]
    if not todo:
        return done
    warm = load_audio(todo[0].audio)
    recognizer.transcribe(warm)
    if peer is not None:
        peer.transcribe(warm)
    for number, clip in enumerate(track(todo, description="recognising", transient=True)):
        samples, row = load_audio(clip.audio), Row(clip)
        turns: list[Callable[[], dict[str, Said]]] = [lambda s=samples, c=clip: by_us(recognizer, s, c.language)]
        if peer is not None and clip.language in CODES:
            turns.append(lambda s=samples, c=clip: by_peer(peer, s, c.language))
        for turn in turns if number % 2 == 0 else reversed(turns):
            row.said |= turn()
        done.append(row)
        if texts is not None:
            with texts.open("a", encoding="utf-8") as file:
                file.write(line(row))
    return done


def by_us(recognizer: Recognizer, samples: np.ndarray, code: str) -> dict[str, Said]:
    """Our output with the language given, if the model supports it, and without."""
    found = {}
    for name, language in ((OURS, code if knows(recognizer, code) else "auto"), (OURS_FREE, "auto")):
        result, spent = timed(lambda language=language: recognizer.transcribe(samples, language=language))
        found[name] = Said(result.text, result.language, spent)
    return found


def by_peer(peer: Peer, samples: np.ndarray, code: str) -> dict[str, Said]:
    """The peer's output with the language given and without."""
    return {PEER: peer.transcribe(samples, code), PEER_FREE: peer.transcribe(samples)}


def from_file(record: dict[str, Any]) -> dict[str, Said]:
    """The peer's outputs on a clip from a record of `whisper_peer.py`."""
    found = {}
    if "text" in record:
        found[PEER] = Said(record["text"], record["lang"], Spent(record["seconds"], math.nan))
    if "free" in record:
        found[PEER_FREE] = Said(record["free"], record["free_language"], Spent(record["free_seconds"], math.nan))
    return found


def knows(recognizer: Recognizer, code: str) -> bool:
    """Whether the model supports a language as input."""
    try:
        recognizer.check(Request.parse(code))
    except LanguageError:
        return False
    return True


def word_errors(reference: str, hypothesis: str, languages: Sequence[str]) -> ErrorCounts:
    """The errors that WER counts; see `text_errors`."""
    return text_errors(reference, hypothesis, languages).words


def character_errors(reference: str, hypothesis: str, languages: Sequence[str]) -> ErrorCounts:
    """The errors that CER counts; see `text_errors`."""
    return text_errors(reference, hypothesis, languages).characters


def total(rows: Sequence[Row], name: str, count: Count) -> ErrorCounts:
    """Total errors of a system on the clips that it transcribed."""
    heard = [row for row in rows if name in row.said]
    return sum((count(r.clip.text, r.said[name].text, r.clip.languages) for r in heard), ErrorCounts())


def rates(console: Console, title: str, rows: Sequence[Row], count: Count) -> dict[str, Any]:
    """Error rates per language, over the clips that the peer transcribed, and over all clips."""
    both = [row for row in rows if PEER in row.said]
    codes: dict[str, list[Row]] = {}
    for row in rows:
        codes.setdefault(row.clip.language, []).append(row)
    table = Table("language", "clips", "units", *SYSTEMS, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    groups = sorted(codes.items(), key=lambda item: -total(item[1], OURS, count).reference_length)
    found: dict[str, Any] = {}
    for name, some in [*groups, *([("heard by both", both)] if both else []), ("all", list(rows))]:
        counts = {system: total(some, system, count) for system in SYSTEMS if any(system in row.said for row in some)}
        if name == "all" and len(both) < len(rows):  # the peer did not transcribe all clips
            counts = {system: counts[system] for system in (OURS, OURS_FREE)}
        units = counts[OURS].reference_length
        found[name] = {"clips": len(some), "units": units}
        found[name] |= {system: round(one.rate, 4) for system, one in counts.items()}
        cells = [f"{counts[system].rate:.3f}" if system in counts else "-" for system in SYSTEMS]
        if name == groups[-1][0]:
            table.add_row(name, str(len(some)), str(units), *cells, end_section=True)
        else:
            table.add_row(name, str(len(some)), str(units), *cells)
    console.print(table)
    return found


def weakest(console: Console, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Languages with over 100 units in which the peer is better, with the language given."""
    both = [row for row in rows if PEER in row.said]
    codes = {row.clip.language for row in both}
    ours, theirs = (
        {code: total([row for row in both if row.clip.language == code], name, word_errors) for code in codes}
        for name in (OURS, PEER)
    )
    found = worst(ours, theirs)
    names = [f"{code} {mine:.3f} against {other:.3f}" for code, mine, other in found]
    if both:
        console.print(f"worse than the peer (over 100 units): {'; '.join(names) or 'none'}")
    return [{"language": code, OURS: round(mine, 4), PEER: round(other, 4)} for code, mine, other in found]


def identified(console: Console, rows: Sequence[Row]) -> dict[str, Any]:
    """Share of clips with correctly identified language."""
    found: dict[str, Any] = {}
    for what, some in (("all clips", rows), ("over 2 s", [r for r in rows if r.clip.duration_s > IDENTIFIED_S])):
        for name, few in (("all", some), ("heard by both", [row for row in some if PEER_FREE in row.said])):
            for system in (OURS_FREE, PEER_FREE):
                heard = [row for row in few if system in row.said]
                if heard and len(heard) == len(few):
                    hits = sum(row.said[system].language == row.clip.language for row in heard)
                    found[f"{what}, {name}, {system}"] = {"share": round(hits / len(heard), 4), "clips": len(heard)}
    for name, one in found.items():
        console.print(f"language identified, {name}: {one['share']:.3f} of {one['clips']}")
    return found


def speeds(console: Console, rows: Sequence[Row]) -> dict[str, Any]:
    """Real-time factors on clips that all systems transcribed."""
    names = [name for name in SYSTEMS if any(name in row.said for row in rows)]
    table = Table("RTF, wall / CPU", "clips", "seconds", *names, title_justify="left")
    found: dict[str, Any] = {}
    for group, low, high in (("under 8 s", 0.0, LONG_S), ("8 s and more", LONG_S, math.inf), ("all", 0.0, math.inf)):
        some = [r for r in rows if low <= r.clip.duration_s < high and all(name in r.said for name in names)]
        if not some:
            continue
        audio_s = sum(row.clip.duration_s for row in some)
        of = {name: sum((row.said[name].spent for row in some), Spent()).per(audio_s) for name in names}
        found[group] = {"clips": len(some), "seconds": round(audio_s, 1), **of}
        cells = [f"{one['wall']:.3f} / {one['cpu']:.3f}" for one in of.values()]
        table.add_row(group, str(len(some)), f"{audio_s:.0f}", *cells)
    console.print(table)
    return found


def all_at_once(console: Console, recognizer: Recognizer, rows: Sequence[Row]) -> dict[str, Any]:
    """Transcribe all files on all cores, and count texts that differ from those of single clips."""
    torch.set_num_threads(os.cpu_count() or 1)
    found, spent = timed(lambda: list(recognizer.transcribe_files([row.clip.audio for row in rows])))
    for _, result in found:
        if isinstance(result, SpeechError):
            raise result
    differ = sum(r.text != row.said[OURS_FREE].text for (_, r), row in zip(found, rows, strict=True))
    rtf = spent.per(sum(row.clip.duration_s for row in rows))
    console.print(f"together: RTF {rtf['wall']:.4f}; texts that differ from those one by one: {differ}")
    return {"rtf": rtf, "differ": differ}


def line(row: Row) -> str:
    """A row as a JSON line."""
    said = {
        name: {"text": one.text, "language": one.language, "wall_s": one.spent.wall_s, "cpu_s": one.spent.cpu_s}
        for name, one in row.said.items()
    }
    record = {"id": row.clip.id, "lang": row.clip.language, "duration": row.clip.duration_s, "said": said}
    return json.dumps(record, ensure_ascii=False) + "\n"


def read_rows(path: Path, clips: Sequence[Utterance]) -> list[Row]:
    """Rows of the given clips that are in a file of such lines."""
    found = {record["id"]: record["said"] for record in map(json.loads, byte_lines(path))}
    return [
        Row(
            clip,
            {
                name: Said(one["text"], one["language"], Spent(one["wall_s"], one["cpu_s"]))
                for name, one in found[clip.id].items()
            },
        )
        for clip in clips
        if clip.id in found
    ]


if __name__ == "__main__":
    typer.run(main)
