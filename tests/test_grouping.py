"""Each group of tests runs in one process, and the long ones begin."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.groups import FIRST, group, rank

TESTS = Path(__file__).parent
CONFTEST = """
from tests.groups import Groups

def pytest_xdist_make_scheduler(config, log):
    return Groups(config, log)
"""
MANY = """
import pytest

@pytest.mark.parametrize("number", range(10))
def test_that_runs(number):
    pass
"""


def test_what_is_named_is_there():
    for name in FIRST:
        assert (TESTS / name).exists()
    assert group("tests/serve/test_app.py::test_it[a::b]") == "serve"
    assert group("tests/nn/test_attention.py::test_it") == "nn/test_attention.py"
    assert rank("tests/serve/test_app.py::test_it") == 0 < rank("tests/nn/test_attention.py::test_it")


def test_a_file_or_folder_stays_in_one_process(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name in ("test_a.py", "test_b.py", "serve/test_c.py", "serve/test_d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(MANY)
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "pytest", "-p", "xdist.plugin", "-p", "no:cacheprovider", "-n", "2", "-v", "."]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert "40 passed" in ran.stdout
    places: dict[str, set[str]] = {}
    for process, nodeid in re.findall(r"\[(gw\d)\].* PASSED (\S+)", ran.stdout):
        places.setdefault(group(nodeid), set()).add(process)
    assert set(places) == {"test_a.py", "test_b.py", "serve"}
    assert all(len(processes) == 1 for processes in places.values())
