"""`speech` as the shell calls it."""

import json
import subprocess
import sys

import pytest

from speech.cli import app, commands


def test_audio_comes_through_standard_input(checkpoint, wave):
    command = [
        sys.executable,
        "-m",
        "speech.cli.app",
        "transcribe",
        "-",
        "--model",
        str(checkpoint),
        "--format",
        "json",
    ]
    done = subprocess.run(command, input=wave.read_bytes(), capture_output=True, check=True)
    assert json.loads(done.stdout)[0]["duration"] == 1.5


def test_a_users_mistake_is_one_line_and_exit_code_1(checkpoint, wave):
    command = [sys.executable, "-m", "speech.cli.app", "transcribe", str(wave), "--language", "germn"]
    done = subprocess.run([*command, "--model", str(checkpoint)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 'germn' is not a known language. Did you mean")
    assert len(done.stderr.splitlines()) == 1


def test_the_commands_are_imported_when_they_are_first_used():
    assert app.app is commands.app
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = app.nothing
