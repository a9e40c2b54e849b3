"""`speech transcribe DIR --engine ...`: many files on many workers, with a ledger."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from speech.batch.driver import Pool, run, shard
from speech.batch.job import Job, open_reader
from speech.batch.ledger import Entry, Ledger, Status
from speech.batch.local import LocalPool
from speech.batch.on_ray import RayPool
from speech.errors import ConfigError
from speech.transcript import Transcript

LEDGERS = ".ledger"
"""Folder of ledgers, beside the results."""


def transcribe_in_batch(
    job: Job,
    files: list[str],
    targets: dict[str, Path],
    output_dir: Path,
    write: Callable[[Path, str, Transcript], None],
    *,
    engine: str,
    workers: int | None,
    format: str,
    retry: bool,
    console: Console,
) -> int:
    """Read what is not done yet; the number of files that have failed, now or before.

    Raises:
        ConfigError: if there is no such engine, or a file is standard input.
    """
    if "-" in files:
        raise ConfigError("an engine cannot read standard input", fix="Give files, or leave out --engine.")
    name = "run"
    if engine not in ("local", "ray"):
        number, count = parse_shard(engine)
        files, name = shard(files, number, count), f"shard-{number}-of-{count}"
    ledger = Ledger(output_dir / LEDGERS / f"{name}.sqlite")
    try:
        todo = ledger.plan(files, job.identity(format), retry=retry)
        if len(todo) < len(files):
            console.print(f"{len(files) - len(todo)} of {len(files)} need nothing")
        if todo:
            pool = _open_pool(job, engine, workers, len(todo))
            try:
                _run(todo, ledger, pool, targets, write, console)
            finally:
                pool.close()
        asked = set(files)
        return _report([entry for entry in ledger.entries() if entry.path in asked], console)
    finally:
        ledger.close()


def _open_pool(job: Job, engine: str, workers: int | None, most: int) -> Pool:
    if engine == "ray":
        return RayPool(partial(open_reader, job, 1), None if workers is None else min(workers, most))
    count = workers or 1
    threads = max((os.cpu_count() or 1) // count, 1)
    return LocalPool(partial(open_reader, job, threads), min(count, most))


def parse_shard(engine: str) -> tuple[int, int]:
    """Number and count of `shard=i/n`.

    Raises:
        ConfigError: if it is not written so.
    """
    kind, _, spec = engine.partition("=")
    number, slash, count = spec.partition("/")
    if not (kind == "shard" and slash and number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise ConfigError(
            f"engine {engine!r}", fix="Give local, ray, or shard=i/n with i from 0 to n - 1, e.g. shard=0/4."
        )
    return int(number), int(count)


def _run(
    todo: list[str],
    ledger: Ledger,
    pool: Pool,
    targets: dict[str, Path],
    write: Callable[[Path, str, Transcript], None],
    console: Console,
) -> None:
    def put(path: str, transcript: Transcript) -> Path:
        write(targets[path], path, transcript)
        return targets[path]

    columns = (
        TextColumn("transcribing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(todo))
        for _, result in run(todo, ledger, pool, put):
            progress.advance(bar)
            if not isinstance(result, Transcript):
                console.print(f"[red]failed:[/red] {result}", soft_wrap=True)


def _report(entries: list[Entry], console: Console) -> int:
    counts = Counter(entry.status for entry in entries)
    hours = sum(entry.audio_s or 0.0 for entry in entries) / 3600
    console.print(", ".join(f"{counts[status]} {status}" for status in Status if counts[status]) + f"; {hours:.2f} h")
    return counts[Status.failed] + counts[Status.quarantined]
