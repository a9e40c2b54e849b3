"""Import modules of numba functions, which are compiled on first use and cached on disk."""

from __future__ import annotations

import tempfile
from functools import cache
from importlib import import_module
from typing import Any


@cache
def load(name: str) -> Any:
    """Import the module of that name once; loading it takes most of a second."""
    try:
        module = import_module(name)
    except RuntimeError:  # neither the package's folder nor the user's cache is writable
        import_module("numba").config.CACHE_DIR = tempfile.mkdtemp(prefix="speech-")
        module = import_module(name)
    for name in dir(module):
        function = getattr(module, name)
        if hasattr(function, "py_func"):
            _forget_unreadable(function)
    return module


def _forget_unreadable(function: Any) -> None:
    """Clear a function's on-disk cache if an older version of this package wrote it with types that no longer exist.

    numba reads the cache index before it compares versions, and fails on such types.
    """
    index = getattr(function._cache, "_cache_file", None)
    if index is not None:
        try:
            index._load_index()
        except (AttributeError, ImportError):
            index.flush()
