"""Error rate and speed on a test manifest, beside the peer's results where they are given.

    uv run --extra train benchmarks/accuracy.py ROOT --peer benchmarks/results/whisper_base_test.jsonl

Language given to both, one normaliser. Speed: seconds of processing over seconds of audio, clips one by one as the
peer takes them, and all together as `speech transcribe DIR` does. Both sides must be run on the same idle machine.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from speech.data.manifest import Utterance, read_manifest
from speech.errors import SpeechError
from speech.metrics.alignment import ErrorCounts
from speech.metrics.error_rate import character_errors, word_errors
from speech.models.hub import EMBEDDED
from speech.recognizer import Recognizer
from speech.text.normalize import NORMALIZER_VERSION
from speech.transcript import Transcript


def main(
    root: Path,
    peer: Annotated[Path | None, typer.Option(help="JSON lines of benchmarks/whisper_peer.py.")] = None,
    model: str = EMBEDDED,
    given: Annotated[bool, typer.Option(help="Tell the model the language.")] = True,
    threads: int = 2,
    output: Annotated[Path | None, typer.Option(help="Write hypotheses as JSON lines.")] = None,
) -> None:
    """Print the table. With --peer only utterances that the peer has heard are compared."""
    torch.set_num_threads(threads)
    utterances = read_manifest(root / "test.jsonl", root)
    heard = {row["id"]: row for row in map(json.loads, peer.open(encoding="utf-8"))} if peer is not None else {}
    if heard:
        utterances = [u for u in utterances if u.id in heard]
    Recognizer.from_pretrained(model)  # brings the files into memory
    start = time.perf_counter()
    recognizer = Recognizer.from_pretrained(model)
    load_s = time.perf_counter() - start
    known = set(recognizer.languages)
    rows: dict[str, list[ErrorCounts]] = {}
    spent: dict[str, float] = {}
    hits, long_hits, long = 0, 0, 0
    lines = []
    for u in track(utterances, description="recognising", transient=True):
        start = time.perf_counter()
        result = recognizer.transcribe(u.audio, language=u.language if given and u.language in known else "auto")
        spent[u.id] = time.perf_counter() - start
        identified = result.language if not given else recognizer.transcribe(u.audio).language
        hits += identified == u.language
        if u.duration_s > 2.0:
            long += 1
            long_hits += identified == u.language
        counts = rows.setdefault(u.language, [ErrorCounts(), ErrorCounts(), ErrorCounts()])
        counts[0] += word_errors(u.text, result.text, u.language)
        counts[1] += character_errors(u.text, result.text, u.language)
        if heard:
            counts[2] += word_errors(u.text, heard[u.id]["text"], u.language)
        lines.append(json.dumps({"id": u.id, "lang": u.language, "text": result.text}, ensure_ascii=False) + "\n")
    if output is not None:
        output.write_text("".join(lines), "utf-8")
    console = Console()
    _table(console, rows, utterances, bool(heard))
    audio_s = sum(u.duration_s for u in utterances)
    console.print(f"{len(utterances)} utterances, {audio_s:.0f} s, {os.cpu_count()} cores, {threads} threads")
    console.print(f"loaded in {load_s:.2f} s")
    for name, low, high in (("under 8 s", 0.0, 8.0), ("8 s and more", 8.0, float("inf"))):
        some = [u for u in utterances if low <= u.duration_s < high]
        audio = sum(u.duration_s for u in some)
        if some:
            theirs = f", peer {sum(heard[u.id]['seconds'] for u in some) / audio:.4f}" if heard else ""
            console.print(f"one by one, {len(some)} {name}: RTF {sum(spent[u.id] for u in some) / audio:.4f}{theirs}")
    paths = [u.audio for u in utterances]
    start = time.perf_counter()
    together = [text_of(result) for _, result in recognizer.transcribe_files(paths)]
    console.print(f"together: RTF {(time.perf_counter() - start) / audio_s:.4f}")
    torch.set_num_threads(1)
    alone = [recognizer.transcribe(path).text for path in track(paths, description="one thread", transient=True)]
    differ = sum(a != b for a, b in zip(together, alone, strict=True))
    console.print(f"texts that differ between batches with {threads} threads and one by one with 1: {differ}")
    console.print(f"language identified: {hits / len(utterances):.3f}, over 2 s: {long_hits / max(long, 1):.3f}")


def text_of(result: Transcript | SpeechError) -> str:
    """The text; a file that cannot be read ends the benchmark."""
    if isinstance(result, SpeechError):
        raise result
    return result.text


def _table(console: Console, rows: dict[str, list[ErrorCounts]], utterances: list[Utterance], peer: bool) -> None:
    table = Table(title=f"WER (CER without spaces), normaliser {NORMALIZER_VERSION}", title_justify="left")
    for name in ("language", "utterances", "units", "ours", "ours CER", *(["peer"] if peer else [])):
        table.add_column(name, justify="left" if name == "language" else "right")
    total = [ErrorCounts(), ErrorCounts(), ErrorCounts()]
    for code, counts in sorted(rows.items(), key=lambda item: -item[1][0].reference_length):
        total = [a + b for a, b in zip(total, counts, strict=True)]
        _add(table, code, sum(u.language == code for u in utterances), counts, peer)
    table.add_section()
    _add(table, "all", len(utterances), total, peer)
    console.print(table)


def _add(table: Table, name: str, count: int, counts: list[ErrorCounts], peer: bool) -> None:
    cells = [f"{c.rate:.3f}" for c in (counts if peer else counts[:2])]
    table.add_row(name, str(count), str(counts[0].reference_length), *cells)


if __name__ == "__main__":
    typer.run(main)
