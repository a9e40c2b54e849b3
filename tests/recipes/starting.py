"""Recipes as they are called."""

import logging
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).parents[2]


def started(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    """Runs a recipe as if it had been called; its exit code and what it wrote."""
    handlers = logging.getLogger().handlers[:]
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")

    def run(script: str, *arguments: str) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        monkeypatch.syspath_prepend(ROOT / "recipes" / Path(script).parent)  # where Python looks for its siblings
        capsys.readouterr()
        code: object = 0
        try:
            runpy.run_path(str(ROOT / "recipes" / script), run_name="__main__")
        except SystemExit as error:
            code = error.code or 0
        finally:
            GlobalHydra.instance().clear()
        return SimpleNamespace(code=code, **dict(zip(("out", "err"), capsys.readouterr(), strict=True)))

    yield run
    logging.getLogger().handlers[:] = handlers


def one_line(ran: SimpleNamespace) -> str:
    """The error of a run, which is all that it says."""
    assert ran.code == 1, ran
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1, ran.err
    assert "Traceback" not in ran.err
    assert "HYDRA_FULL_ERROR" not in ran.err
    return str(ran.err.removeprefix("error: ").rstrip("\n"))
