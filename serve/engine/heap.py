"""How freed memory goes back to the machine."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
"""glibc, malloc.h."""


def one_arena() -> bool:
    """Keep the memory of all threads in one arena of glibc; without it, each thread that has computed keeps what it has
    freed, and a server that speaks grows for hours. Before threads start.

    Returns:
        Whether the C library knows arenas.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, 1))
