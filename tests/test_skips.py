"""A skip that nobody has allowed fails the run, in one process and in several."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import ALLOWED, may_be_skipped

CONFTEST = """
from tests.skips import Skips

def pytest_configure(config):
    config.pluginmanager.register(Skips({strict}))
"""
TESTS = """
import pytest

def test_that_runs():
    pass

@pytest.mark.xfail(reason="needs luck", strict=False)
def test_that_is_known_to_fail():
    assert False

@pytest.mark.skipif(True, reason="{reason}")
def test_that_is_skipped():
    pass
"""
LISTED = next(one.reason for one in ALLOWED if one.here)


def run(folder: Path, strict: bool, reason: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.format(strict=strict))
    (folder / "test_some.py").write_text(TESTS.format(reason=reason))
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "xdist.plugin", "-p", "no:cacheprovider", *options, str(folder)]
    return again(command)


def again(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # they take seconds to load
    root = Path(__file__).parents[1]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_a_run_that_skips_what_is_not_listed_fails(tmp_path, options):
    ran = run(tmp_path, True, "needs a program", *options)
    assert ran.returncode == 1
    assert "tests/skips.py does not allow: " in ran.stdout
    assert "needs a program" in ran.stdout
    assert "1 passed, 1 skipped, 1 xfailed" in ran.stdout


def test_a_whole_file_that_is_skipped_counts_too(tmp_path):
    ran = run(tmp_path, True, "")
    (tmp_path / "test_some.py").write_text("import pytest\npytest.importorskip('nobody_has_this')\n")
    ran = again(ran.args)
    assert ran.returncode == 1
    assert "nobody_has_this" in ran.stdout


def test_what_is_listed_may_be_skipped_and_anything_where_nobody_asks(tmp_path):
    assert run(tmp_path, True, LISTED).returncode == 0
    ran = run(tmp_path, False, "needs a program")
    assert ran.returncode == 0
    assert "does not allow" in ran.stdout


def test_a_line_counts_only_on_the_machines_that_it_speaks_of():
    for one in ALLOWED:
        assert one.why
        if not one.here:
            assert not may_be_skipped(one.reason.split("|")[0])
