"""What commands print: plain text in which nothing is markup, and one line for what the system refuses."""

import ast
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from speech.cli.console import run, say_error, show_warnings, stderr, stdout, to_json
from speech.errors import AudioError, SpeechError

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted(path for folder in ("speech", "serve") for path in (ROOT / folder).rglob("*.py"))
MARKUP = re.compile(r"\[/?(?:bold|dim|italic|underline|red|green|yellow|blue)\b[^\]]*\]")
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


ODD = "talk [abc123] [/such] [red]x[/red] :warning:.wav"


def test_tables_and_titles_show_text_as_it_is(capsys):
    table = Table(title=ODD)
    table.add_column(ODD)
    table.add_row(ODD)
    stdout().print(table)
    stdout().print(ODD)
    assert capsys.readouterr().out.count(ODD) == 4


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "console.py"], ids=str)
def test_nothing_else_makes_a_console_or_writes_markup(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "Console", f"line {node.lineno}: take stdout() or stderr() of speech.cli.console"
            if node.func.id == "TextColumn":
                assert any(word.arg == "markup" for word in node.keywords), f"line {node.lineno}: markup=False"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not MARKUP.search(node.value), f"line {node.lineno}: use rich.text.Text"


TABLE = "from speech.cli.console import run, stdout\nrun(lambda: stdout().print('x'))"
WRITE = "from speech.cli.console import run, write\nrun(lambda: [write('x' * 1000 + chr(10)) for _ in range(300)])"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("program", [WRITE, TABLE])
def test_a_full_disk_behind_standard_output_is_one_line(program):
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr == "error: standard output: cannot be written: no space left on device\n"


def test_where_nobody_reads_any_more_a_command_ends_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([sys.executable, "-c", WRITE], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, "")


def test_what_the_system_refuses_anywhere_is_one_line_with_the_path():
    program = PROGRAM.format(what="PermissionError(13, 'Permission denied', 'deep/x.bin')")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "error: deep/x.bin: permission denied\n")


def test_numbers_that_are_not_finite_are_no_json():
    assert to_json({"a": "\u00fc"}) == '{"a": "\u00fc"}'
    with pytest.raises(SpeechError, match=r"a\.wav: has a number that is not finite"):
        to_json({"a": float("nan")}, where="a.wav")


def test_warnings_of_the_package_are_one_line_each(capsys, monkeypatch):
    logger = logging.getLogger("speech")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    show_warnings()
    show_warnings()  # not twice
    logging.getLogger("speech.audio.input.files").warning("%s: has two [channels]\nof opposite phase", "a.wav")
    logging.getLogger("speech.audio.input.files").info("not shown")
    assert capsys.readouterr().err == "warning: a.wav: has two [channels] of opposite phase\n"
