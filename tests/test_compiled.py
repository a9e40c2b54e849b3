"""Where compiled code is kept."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from speech import compiled


def test_a_module_is_loaded_once():
    assert compiled.load("json") is compiled.load("json") is json


def test_where_nothing_can_be_kept_a_folder_of_its_own_is_made(monkeypatch):
    numba = SimpleNamespace(config=SimpleNamespace(CACHE_DIR=""))

    def import_module(name: str) -> object:
        if name == "numba":
            return numba
        if not numba.config.CACHE_DIR:
            raise RuntimeError("cannot cache function: no locator available")
        return "the module"

    monkeypatch.setattr(compiled, "import_module", import_module)
    assert compiled.load("a module that cannot be kept") == "the module"
    folder = Path(numba.config.CACHE_DIR)
    assert folder.name.startswith("speech-")
    folder.rmdir()


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        compiled.load("speech.no_such_module")


def test_where_nothing_can_be_written_it_still_runs(tmp_path):
    """With the module that compiles fastest."""
    code = (
        "import sys; from numba.core import caching; locators = caching.CacheImpl._locator_classes;"
        "keep = [c for c in locators if 'UserProvided' in c.__name__]; caching.CacheImpl._locator_classes = keep;"
        "import torch; from speech.decode.words.alignment import align;"
        "sys.exit(align(torch.tensor([[-9.0, 0.0]]), [1]).score != 0.0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240, env={"TMPDIR": str(tmp_path), "HOME": "/"})
    assert any(tmp_path.iterdir())


def test_what_an_older_version_has_kept_is_compiled_anew(tmp_path):
    source = """
from typing import NamedTuple
import numba
class {name}(NamedTuple):
    x: float
@numba.njit(cache=True)
def half(pair):
    return pair.x / 2
"""
    code = (
        "from speech.compiled import load; import sys; m = load('kernels'); print(m.half(getattr(m, sys.argv[1])(3.0)))"
    )
    for name in ("Older", "Newer"):
        (tmp_path / "kernels.py").write_text(source.format(name=name))
        environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(compiled.__file__).parents[1]}"}
        found = subprocess.run([sys.executable, "-c", code, name], env=environment, capture_output=True, text=True)
        assert found.stdout == "1.5\n", found.stderr
