"""Modules of code that numba compiles when it is first used, and keeps on disk."""

from __future__ import annotations

import tempfile
from functools import cache
from importlib import import_module
from typing import Any


@cache
def load(name: str) -> Any:
    """The module of that name, which takes most of a second to load."""
    try:
        module = import_module(name)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        import_module("numba").config.CACHE_DIR = tempfile.mkdtemp(prefix="speech-")
        module = import_module(name)
    for name in dir(module):
        function = getattr(module, name)
        if hasattr(function, "py_func"):
            _forget_unreadable(function)
    return module


def _forget_unreadable(function: Any) -> None:
    """Empty what an older version of this package has kept of a function, if it names types that are gone: numba reads
    it before it compares versions, and fails."""
    index = getattr(function._cache, "_cache_file", None)
    if index is not None:
        try:
            index._load_index()
        except (AttributeError, ImportError):
            index.flush()
