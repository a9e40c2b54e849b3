"""The command line, called within the test."""

from typer.testing import CliRunner

from speech.cli.app import app

runner = CliRunner()


def run(*arguments: str, **options):
    return runner.invoke(app, [str(a) for a in arguments], catch_exceptions=False, **options)
