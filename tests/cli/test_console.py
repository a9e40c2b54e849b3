"""Errors on stderr: one line, in which brackets stay what they are."""

import subprocess
import sys

import pytest

from speech.cli.console import run, say_error, stderr
from speech.errors import AudioError

PROGRAM = """
from speech.cli.console import run
from speech.errors import AudioError
def fail():
    raise {what}
run(fail)
"""


def test_brackets_in_names_are_text(capsys):
    say_error(AudioError("no such file", where="talk [abc123] [/such].wav", fix="pip install 'x[ray]'"))
    assert capsys.readouterr().err == "error: talk [abc123] [/such].wav: no such file. pip install 'x[ray]'\n"


def test_colons_in_names_are_text_too(capsys):
    stderr().print("talk :smile: [b8].wav")
    assert capsys.readouterr().err == "talk :smile: [b8].wav\n"


def test_what_a_command_returns_comes_back():
    assert run(lambda: 3) == 3


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [("AudioError('is empty', where='a.wav')", 1, "error: a.wav: is empty\n"), ("KeyboardInterrupt", 130, "")],
)
def test_errors_and_interruptions_end_with_a_code(what, code, said):
    ran = subprocess.run([sys.executable, "-c", PROGRAM.format(what=what)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (code, said)
