"""Ctrl-C is quiet, with exit code 130, whatever the process is doing."""

import signal
import subprocess
import sys

import pytest

from speech.cli.interruption import was_interrupted

AT_ONCE = """
from speech.cli.interruption import end_at_once
end_at_once()
{then}
"""
CLEANLY = """
import sys, time
from speech.cli.console import run
from speech.cli.interruption import clean_up_first, end_at_once
def command():
    clean_up_first()
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
end_at_once()
run(command)
"""
SWALLOWED = """
class Loud:
    def __del__(self):
        raise KeyboardInterrupt
loud = Loud()
del loud
print("went on")
"""


def interrupted(arguments, mark):
    """Exit code and both streams of a Python that has Ctrl-C once `mark` is in what it says."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    said = ""
    for line in process.stdout:
        said += line
        if mark in line:
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=120)
    return process.returncode, said + rest


def test_where_nothing_has_begun_the_process_ends():
    program = AT_ONCE.format(then="import time\nprint('ready', flush=True)\ntime.sleep(60)")
    assert interrupted(["-c", program], "ready") == (130, "ready\n")


def test_a_command_cleans_up():
    assert interrupted(["-c", CLEANLY], "ready") == (130, "ready\ncleaned up\n")


def test_an_interruption_that_would_be_swallowed_ends_the_process():
    program = AT_ONCE.format(then=SWALLOWED)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


def test_what_a_library_makes_of_an_interruption_is_one():
    found = ImportError("numpy could not be imported")
    found.__context__ = ValueError()
    found.__context__.__cause__ = KeyboardInterrupt()
    assert was_interrupted(found)
    assert not was_interrupted(ImportError("no such module"))


@pytest.mark.parametrize("module", ["typer.main", "numpy", "torch._C", "speech.recognizer", "speech.cli.batch"])
def test_while_modules_are_imported(module, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    arguments = ["-X", "importtime", "-m", "speech.cli.app", "transcribe", str(tmp_path / "a.wav")]
    code, said = interrupted(arguments, f" {module}\n")
    assert code == 130
    rest = [line for line in said.splitlines() if not line.startswith("import time:")]
    assert rest == []
