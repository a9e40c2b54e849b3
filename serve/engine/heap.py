"""How freed memory goes back to the system: of glibc only, elsewhere nothing is done."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
"""Of `mallopt`, malloc.h."""


def one_arena() -> None:
    """Keep the memory of all threads in one arena; otherwise each thread that has computed keeps what it has freed, and
    a server that speaks grows for hours. Call it before threads start."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def trim() -> None:
    """Return freed memory to the system: tensors of varying sizes fragment the heap."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
