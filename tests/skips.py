"""Which tests may be skipped where everything else has to run.

A test that is skipped proves nothing. Where CI is set, or `--no-skips` given, each skip that no line here allows is a
failure of the whole run: the reason is a program or package that can be had, and has to be.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from speech.nn.cpu.instructions import instructions

X86 = platform.machine().lower() in ("x86_64", "amd64")
NO_TILES = "the processor has neither AVX2 with FMA nor VNNI"


@dataclass(frozen=True)
class Allowed:
    """A kind of skip."""

    reason: str
    """Pattern that is found in the reason that the test gives."""
    why: str
    """It cannot run here."""
    here: bool = True
    """Whether that is so on this machine."""


ALLOWED = [
    Allowed(r"GPU|CUDA", "there is none", here=not Path("/dev/nvidiactl").exists()),
    Allowed(r"kernels|oneDNN|x86", "another processor", here=not X86),
    Allowed(NO_TILES, "another processor", here=instructions() is None),
    Allowed(r"/dev/full|/proc|Linux", "another system", here=sys.platform != "linux"),
    Allowed(r"kenlm", "the index has its source only, which wants a compiler and cmake: by hand"),
    Allowed(r"speech-scores", "one of its packages wants a compiler, and few need its networks"),
    Allowed(r"audioop", "Python has left it out since 3.13", here=importlib.util.find_spec("audioop") is None),
]


def may_be_skipped(reason: str) -> bool:
    """Whether some line allows it on this machine."""
    return any(one.here and re.search(one.reason, reason) for one in ALLOWED)


class Skips:
    """Fails a run that has skipped what may not be skipped, if it is `strict`; otherwise only says so."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._found: set[str] = set()

    def _note(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            if not may_be_skipped(reason):
                self._found.add(f"{report.nodeid}: {reason}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        nothing_else = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self._strict and self._found and nothing_else:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in sorted(self._found):
            terminalreporter.write_line(f"skipped, which tests/skips.py does not allow: {line}", red=self._strict)
