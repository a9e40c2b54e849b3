"""Timing of nested sections (wall-clock and CPU seconds), and a description of the machine."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds; addable. CPU time is that of all threads of this process."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def per(self, audio_s: float) -> dict[str, float]:
        """Seconds per second of audio."""
        return {"wall": round(self.wall_s / audio_s, 4), "cpu": round(self.cpu_s / audio_s, 4)}


def timed[T](call: Callable[[], T]) -> tuple[T, Spent]:
    """Result of a call and the time it took."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = call()
    return result, Spent(time.perf_counter() - wall_s, time.process_time() - cpu_s)


class Stopwatch:
    """Time of named sections; the time of a nested section does not count for the outer one.

    Args:
        clock: returns the time in seconds; by default CPU time.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._open: list[str] = []
        self._since = 0.0
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Attribute the time within the block to a section."""
        self._turn()
        self._open.append(name)
        self.calls[name] += 1
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        now = self._clock()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def within(self, owner: Any, name: str, section: str) -> None:
        """Wrap `owner.name(..)` so that its time counts for a section."""
        call = getattr(owner, name)

        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.section(section):
                return call(*args, **kwargs)

        setattr(owner, name, measured)

    def clear(self) -> None:
        """Reset all sections."""
        self.seconds.clear()
        self.calls.clear()


def machine() -> dict[str, Any]:
    """Processor, cores and load of the machine, for the record."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }
