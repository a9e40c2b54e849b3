"""Cores of the machine, and threads for them."""

from __future__ import annotations

import os

from serve.config import ServeConfig
from serve.engine.pools import Pools
from speech.speaker import Speaker

_ALONE = 4
"""Most cores for a text: its operations are too small for more."""


def readers_for(device: str) -> int:
    """Threads that read parts on a device."""
    if device != "cpu":
        return 1
    count = cores()
    return count - 1 if count > 2 else count


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pools_for(speaker: Speaker | None, config: ServeConfig) -> Pools:
    """Thread pools for a voice. Texts that are not computed in batches have a core each, and one that is alone several:
    a power of two, with which its samples are, but for rounding, those that it has on one core."""
    if speaker is None:
        return Pools.start()
    most = config.max_speech_requests
    if speaker.together > 1 or config.device != "cpu":
        return Pools.start(min(speaker.together, most))
    count = cores()
    return Pools.start(min(count, most), cores=min(1 << (count.bit_length() - 1), _ALONE))
