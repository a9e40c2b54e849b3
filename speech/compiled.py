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
        return import_module(name)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        import_module("numba").config.CACHE_DIR = tempfile.mkdtemp(prefix="speech-")
        return import_module(name)
