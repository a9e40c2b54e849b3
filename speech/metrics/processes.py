"""Scoring of many utterances, in several processes if that is faster.

The workers are plain subprocesses: `multiprocessing` would import the caller's program again, which for `speech`
includes torch and takes as long as scoring 30,000 utterances.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import fields
from operator import attrgetter
from queue import SimpleQueue
from typing import IO, Any

from speech.errors import SpeechError
from speech.metrics.edit.alignment import EditAlignment
from speech.metrics.utterance import Pairing, UtteranceScore, score_utterance

MANY = 50_000
"""Number of utterances above which several processes are faster than one."""
CHUNK = 1_000
MOST = 4
"""Default maximum of processes; with more, the parent that unpickles the results is the bottleneck."""
_START = f"from {__name__} import answer; answer()"


def score_utterances(
    pairings: Sequence[Pairing], processes: int | None = None, progress: Callable[[int, int], None] | None = None
) -> list[UtteranceScore]:
    """Apply `score_utterance` to each pairing, in order.

    Args:
        processes: number of processes; None: one per core, at most `MOST`, for more than `MANY` pairings, else one.
        progress: called with (done, total).

    Raises:
        DataError: for the first pairing whose words do not match its text.
        SpeechError: if a process ends before it has answered.
    """
    if processes is None:
        processes = min(os.cpu_count() or 1, MOST) if len(pairings) > MANY else 1
    chunks = [pairings[start : start + CHUNK] for start in range(0, len(pairings), CHUNK)]
    scores: list[UtteranceScore] = []
    for found in _scored_apart(chunks, processes) if processes > 1 else map(_scored, chunks):
        scores += found
        if progress is not None:
            progress(len(scores), len(pairings))
    return scores


def answer() -> None:
    """Worker main loop: score chunks from stdin until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends this one
    gc.disable()  # scores have no reference cycles
    with suppress(EOFError, BrokenPipeError):
        while True:
            chunk = pickle.load(sys.stdin.buffer)
            found: list[UtteranceScore] | SpeechError
            try:
                found = _scored(chunk)
            except SpeechError as error:
                found = error
            _send(found, sys.stdout.buffer)


class _Scorer:
    """A scoring subprocess."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
        )

    def score(self, chunk: Sequence[Pairing]) -> list[UtteranceScore]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            _send(chunk, self._process.stdin)
            found: list[UtteranceScore] | SpeechError = pickle.load(self._process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self._process.kill()
            raise SpeechError(
                f"a process that scores ended with code {self._process.wait()}",
                fix="Look at what it printed; with little memory, score with processes=1.",
            ) from error
        if isinstance(found, SpeechError):
            raise found
        return found

    def close(self) -> None:
        self._process.kill()
        with suppress(BrokenPipeError), self._process:
            pass


def _scored(chunk: Sequence[Pairing]) -> list[UtteranceScore]:
    return [score_utterance(pairing) for pairing in chunk]


def _scored_apart(chunks: Sequence[Sequence[Pairing]], processes: int) -> Iterator[list[UtteranceScore]]:
    idle: SimpleQueue[_Scorer] = SimpleQueue()

    def score(chunk: Sequence[Pairing]) -> list[UtteranceScore]:
        scorer = idle.get()
        try:
            return scorer.score(chunk)
        finally:
            idle.put(scorer)

    with ExitStack() as ending, ThreadPoolExecutor(processes) as threads:
        for _ in range(min(processes, len(chunks))):
            scorer = _Scorer()
            ending.callback(scorer.close)
            idle.put(scorer)
        yield from threads.map(score, chunks)


def _as_call(kind: type[Any]) -> Callable[[Any], tuple[type[Any], tuple[Any, ...]]]:
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda one: (kind, values(one))


_AS_CALLS: dict[type, Callable[[Any], tuple[type[Any], tuple[Any, ...]]]] = {
    kind: _as_call(kind) for kind in (Pairing, UtteranceScore, EditAlignment)
}
"""Reducers for the frequent types: pickling dataclasses the default way takes two to three times as long."""


def _send(what: object, file: IO[bytes]) -> None:
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _AS_CALLS
    pickler.dump(what)
    file.flush()
