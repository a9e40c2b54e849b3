"""What stops a recipe is a line and an exit code; faults of the program stay tracebacks."""

import sys

import pytest
import typer

from speech.cli import recipe
from speech.cli.recipe import expected, reported, start_command
from speech.cli.training import _named
from speech.errors import DataError


def test_errors_that_are_faults_of_the_program_stay_tracebacks():
    with pytest.raises(ZeroDivisionError), reported():
        raise ZeroDivisionError
    assert expected(ValueError("x")) is None
    assert _named(ValueError("x")) is None
    assert str(expected(OSError(28, "No space left on device", "a\n[b]"))) == (
        "a\\n[b]: cannot be read or written: no space left on device"
    )
    found = DataError("x")
    assert expected(found) is found


def test_ctrl_c_is_quiet_and_130(capsys, monkeypatch):
    def main() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit) as ended:
        start_command(main)
    assert ended.value.code == 130
    with pytest.raises(SystemExit) as ended, reported(farewell=lambda: "goes [on]"):
        raise KeyboardInterrupt
    assert ended.value.code == recipe.INTERRUPTED == 130
    assert capsys.readouterr().err == "goes [on]\n"


def test_a_parameter_that_typer_refuses_is_its_own_matter(monkeypatch):
    def main(count: int) -> None:
        typer.echo(count)

    monkeypatch.setattr(sys, "argv", ["x", "many"])
    with pytest.raises(SystemExit) as ended:
        start_command(main)
    assert ended.value.code == 2
