"""Thread pools beside the event loop: one for each kind of work, so that no kind delays another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial

_THREADS = {"audio": 2, "compile": 1, "scoring": 2, "files": 1, "adapters": 1, "voices": 1}


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
    """Says texts, a packet of each at a time: as many threads as the voice model says texts at once."""
    voices: ThreadPoolExecutor
    """Makes voices of recordings, and stores them."""

    @classmethod
    def start(cls, speech: int = 1) -> Pools:
        """Create the pools; their threads start with the first tasks.

        Args:
            speech: number of threads that say texts.
        """
        sizes = {**_THREADS, "speech": speech}
        return cls(**{name: ThreadPoolExecutor(threads, f"speech-{name}") for name, threads in sizes.items()})

    def close(self) -> None:
        """Cancel queued tasks; do not wait for running ones."""
        for item in fields(self):
            getattr(self, item.name).shutdown(wait=False, cancel_futures=True)


async def run[**P, T](pool: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run `work` on a pool; like `asyncio.to_thread`."""
    return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args, **options))
