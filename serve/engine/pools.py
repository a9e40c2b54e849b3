"""Thread pools beside the event loop: one for each kind of work, so that no kind delays another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from threading import Barrier

import torch

_THREADS = {"audio": 2, "compile": 1, "scoring": 2, "files": 1, "adapters": 1, "voices": 1, "answers": 32}


@dataclass(frozen=True, slots=True)
class Pools:
    """Thread pools of one server. Each has few threads; its callers limit the number of queued tasks."""

    audio: ThreadPoolExecutor
    """Decodes live audio: compressed audio and large messages."""
    compile: ThreadPoolExecutor
    """Compiles phrases for the search."""
    scoring: ThreadPoolExecutor
    """Computes live scores."""
    files: ThreadPoolExecutor
    """Decodes and transcribes files that were uploaded over HTTP, one at a time."""
    adapters: ThreadPoolExecutor
    """Reads, tries and stores adapters."""
    speech: ThreadPoolExecutor
    """Says texts, a packet of each at a time."""
    speech_alone: ThreadPoolExecutor
    """Says a text while there is no other."""
    voices: ThreadPoolExecutor
    """Makes voices of recordings, and stores them."""
    answers: ThreadPoolExecutor
    """Waits for answers of dialogues."""

    @classmethod
    def start(cls, speech: int = 1, *, cores: int = 0) -> Pools:
        """Create the pools; their threads start with the first tasks.

        Args:
            speech: number of threads that say texts.
            cores: how many torch may use for a text that is alone, and then one for each of several texts; 0: as many
                as in all other threads.
        """
        sizes = {**_THREADS, "speech": speech, "speech_alone": 1}
        pools = cls(**{name: ThreadPoolExecutor(threads, f"speech-{name}") for name, threads in sizes.items()})
        if cores:
            _use_cores(pools.speech, speech, 1)
            _use_cores(pools.speech_alone, 1, cores)
        return pools

    def close(self) -> None:
        """Cancel queued tasks; do not wait for running ones."""
        for item in fields(self):
            getattr(self, item.name).shutdown(wait=False, cancel_futures=True)


def _use_cores(pool: ThreadPoolExecutor, threads: int, cores: int) -> None:
    """Start the threads of a pool, in which torch uses so many cores; in others it uses as many as before. torch has a
    number for each thread, and one that threads get with their first operation."""
    others, started = torch.get_num_threads(), Barrier(threads)

    def begin() -> None:
        started.wait()
        torch.get_num_threads()  # the thread gets its number, which its first operation would set otherwise
        torch.set_num_threads(cores)

    for begun in [pool.submit(begin) for _ in range(threads)]:
        begun.result()
    torch.set_num_threads(others)


async def run[**P, T](pool: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run `work` on a pool; like `asyncio.to_thread`."""
    return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args, **options))
