"""`speech transcribe DIR --engine ...`: transcribe many files on many workers, with a ledger."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.progress import TimeRemainingColumn

from speech.batch.driver import WorkerPool, run, shard
from speech.batch.job import Job, open_reader
from speech.batch.ledger import Ledger, LedgerEntry, Status
from speech.batch.local import LocalPool
from speech.batch.on_ray import RayPool
from speech.cli.console import say_error, stderr
from speech.cli.inputs import STDIN
from speech.cli.progress import progress
from speech.cli.results import Rendering
from speech.errors import ConfigError, SpeechError
from speech.files import write_atomically
from speech.transcript import Transcript

LEDGERS = ".ledger"
"""Folder of the ledgers, inside the output folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """Options that select the workers."""

    engine: str
    """`local`, `ray`, or `shard=i/n`."""
    workers: int | None = None
    """None: one; with ray, as many as fit."""
    retry: bool = False
    """Also read files that failed before."""


def transcribe_in_batch(
    job: Job,
    files: Sequence[str],
    targets: Mapping[str, Path],
    output_dir: Path,
    rendering: Rendering,
    batch: EngineOptions,
) -> int:
    """Transcribe the files that are not done yet; return the number of failed files, now or before.

    Raises:
        ConfigError: if there is no such engine, a file is standard input, or the device is not available.
        FileError: if the ledger or a result cannot be written.
    """
    if STDIN in files:
        raise ConfigError("--engine cannot read standard input", fix="Give files, or omit --engine.")
    name = "run"
    if batch.engine not in ("local", "ray"):
        number, count = parse_shard(batch.engine)
        files, name = shard(files, number, count), f"shard-{number}-of-{count}"
    _ = job.gpus if batch.engine == "ray" else job.places  # rejects an invalid device before anything is opened
    ledger = Ledger(output_dir / LEDGERS / f"{name}.sqlite")
    try:
        todo = ledger.plan(files, job.identity(rendering.identity), retry=batch.retry)
        if len(todo) < len(files):
            stderr().print(f"{len(files) - len(todo)} of {len(files)} need nothing")
        if todo:
            pool = _open_pool(job, batch, len(todo))
            try:
                _run(todo, ledger, pool, targets, rendering)
            finally:
                pool.close()
        asked = set(files)
        return _report([entry for entry in ledger.entries() if entry.path in asked])
    except KeyboardInterrupt:
        stderr().print("interrupted; the same command goes on from here")
        raise
    finally:
        ledger.close()


def _open_pool(job: Job, batch: EngineOptions, most: int) -> WorkerPool:
    if batch.engine == "ray":
        count = None if batch.workers is None else min(batch.workers, most)
        return RayPool(partial(open_reader, job, 1), count, gpus=float(job.gpus))
    count = batch.workers or 1
    threads = max((os.cpu_count() or 1) // count, 1)
    readers = [partial(open_reader, replace(job, device=place), threads) for place in job.places]
    return LocalPool(readers, min(count, most))


def parse_shard(engine: str) -> tuple[int, int]:
    """Parse `shard=i/n` into number and count.

    Raises:
        ConfigError: if the syntax is wrong or i is not below n.
    """
    kind, _, spec = engine.partition("=")
    number, slash, count = spec.partition("/")
    if not (kind == "shard" and slash and number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise ConfigError(
            f"engine {engine!r}", fix="Give local, ray, or shard=i/n with i from 0 to n - 1, e.g. shard=0/4."
        )
    return int(number), int(count)


def _run(
    todo: Sequence[str], ledger: Ledger, pool: WorkerPool, targets: Mapping[str, Path], rendering: Rendering
) -> None:
    def put(path: str, transcript: Transcript) -> Path:
        write_atomically(targets[path], rendering.render(path, transcript))
        return targets[path]

    with progress(TimeRemainingColumn()) as bars:
        bar = bars.add_task("transcribing", total=len(todo))
        for _, result in run(todo, ledger, pool, put):
            bars.advance(bar)
            if isinstance(result, SpeechError):
                say_error(result, "failed")


def _report(entries: Sequence[LedgerEntry]) -> int:
    counts = Counter(entry.status for entry in entries)
    hours = sum(entry.audio_s or 0.0 for entry in entries) / 3600
    stderr().print(", ".join(f"{counts[status]} {status}" for status in Status if counts[status]) + f"; {hours:.2f} h")
    return counts[Status.failed] + counts[Status.quarantined]
