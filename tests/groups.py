"""Which tests one process runs, where several share them (pytest-xdist)."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FOLDERS = {"serve": "serve", "train": "train"}
"""Folders whose tests stay together: they share a server, or a model that is trained for them."""
FIRST = ["serve", "train", "batch/test_on_ray.py", "test_readme.py", "test_wheel.py", "stream/test_contract.py"]
"""Groups that take longest: they begin, so that none is left at the end for one process alone."""


def group(nodeid: str) -> str:
    """The group of a test: its file, or the folder that stays together."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    return FOLDERS.get(path.partition("/")[0], path)


def rank(nodeid: str) -> int:
    """The lower, the earlier it begins."""
    name = group(nodeid)
    return FIRST.index(name) if name in FIRST else len(FIRST)


class Groups(LoadScopeScheduling):
    """Gives whole groups to processes, in the order of the tests.

    That of xdist, `--dist loadgroup`, writes groups into ids of tests, which pytest 9.2 does not let it do any more.
    """

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
