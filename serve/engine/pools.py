"""Threads beside the event loop: each kind of work has its own, so that none waits behind another kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial

_THREADS = {"audio": 2, "compile": 1, "scoring": 2, "files": 1, "adapters": 1}


@dataclass(frozen=True, slots=True)
class Pools:
    """Those of one server. Each has few threads; who submits to one bounds what may wait for them."""

    audio: ThreadPoolExecutor
    """Compressed live audio becomes samples."""
    compile: ThreadPoolExecutor
    """Phrases become what the search reads."""
    scoring: ThreadPoolExecutor
    """Live scores."""
    files: ThreadPoolExecutor
    """Files that came over HTTP are read and transcribed, one at a time."""
    adapters: ThreadPoolExecutor
    """Adapters are read, tried and kept."""

    @classmethod
    def start(cls) -> Pools:
        """Pools without threads; those come with work."""
        return cls(**{name: ThreadPoolExecutor(threads, f"speech-{name}") for name, threads in _THREADS.items()})

    def close(self) -> None:
        """What runs goes on to its end, and nobody waits for it; what has not begun never does."""
        for item in fields(self):
            getattr(self, item.name).shutdown(wait=False, cancel_futures=True)


async def run[**P, T](pool: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """As `asyncio.to_thread`, on a pool of our own."""
    return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args, **options))
