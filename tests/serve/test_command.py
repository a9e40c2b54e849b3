"""`speech serve`: what it is told, and what it refuses before a model is loaded."""

import pytest
from typer.testing import CliRunner

from speech.cli.app import app
from speech.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--answers", "echo"], "answers without voice_model"),
        (["--answers", "parrot", "--voice-model", "embedded-voice"], "parrot"),
        (["--port", "99999"], "port is 99999"),
    ],
    ids=["voiceless", "parrot", "port"],
)
def test_what_cannot_be_is_said_in_one_line(arguments, said):
    done = CliRunner().invoke(app, ["serve", "--host", "127.0.0.1", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)
