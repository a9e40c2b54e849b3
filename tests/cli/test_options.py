"""What help says of options, and under which heading."""

from typer.testing import CliRunner

from speech.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


def test_brackets_in_help_are_text():
    shown = run("transcribe", "--help").stdout
    words = " ".join(shown.split())
    assert "[default: 8 with an n-gram model, else 1]" in words
    assert "[default: those beside the model]" in words
    headings = [line.rstrip(":") for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[:2] == ["Arguments", "Options"]
    assert {"Model", "Decoding", "Subtitles", "Many files"} <= set(headings)
