"""Texts to be scored, and the command that does it."""

import json

from typer.testing import CliRunner

from speech.cli.app import app

REFERENCE = {"u1": "das meeting war gut", "u2": "guten morgen zusammen", "u3": "send mir das file"}
GOOD = REFERENCE | {"u1": "das miting war gut"}
BAD = {"u1": "das", "u2": "guten abend", "u3": "sende mir das feil bitte"}


def run(*arguments):
    return CliRunner().invoke(app, ["score", *map(str, arguments)], catch_exceptions=False, env={"COLUMNS": "160"})


def figures(files, *more):
    result = run(files / "reference.txt", files / "good.txt", "--json", files / "out.json", *more)
    assert result.exit_code == 0
    return result.stdout, json.loads((files / "out.json").read_text())


def written(path, *records):
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    return path
