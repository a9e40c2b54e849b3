"""`speech converse`: a file is talked through with a server in this process, both voices are recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from serve.converse_command import _answers
from speech.audio.input.files import load_audio
from speech.cli.app import app
from speech.data.manifest import read_manifest
from speech.errors import SpeechError
from tests.conftest import CLIPS


def run(*arguments):
    return CliRunner().invoke(app, ["converse", *map(str, arguments)], env={"COLUMNS": "120"})


def test_what_is_said_is_answered_and_both_voices_are_recorded(tmp_path):
    clip = next(one for one in read_manifest(CLIPS) if one.language == "eng")
    soundfile.write(tmp_path / "said.wav", load_audio(clip.audio), 16_000)
    (tmp_path / "answers.txt").write_text("Yes.\n", "utf-8")
    done = run(
        "--script", tmp_path / "answers.txt", "--language", "eng",
        "--input", tmp_path / "said.wav", "--output", tmp_path / "both.wav", "--jsonl",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds.count("turn") == kinds.count("reply_done") == 1
    assert kinds[-1] == "end"
    assert not any("pcm" in event for event in events)
    samples, rate = soundfile.read(tmp_path / "both.wav")
    user, voice = samples.T
    said = len(load_audio(clip.audio)) / 16_000
    assert np.abs(user[: round(said * rate)]).max() > 0.05
    assert np.abs(voice[: round(said * rate)]).max() == 0
    assert np.abs(voice[round(said * rate) :]).max() > 0.05


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing answers"),
        (["--echo", "--answers", "http://127.0.0.1:1/v1"], "several answers"),
        (["--echo", "--url", "ws://127.0.0.1:1/v1/stream"], "answers of its own"),
        (["--echo", "--input", "none.wav"], "none.wav"),
        (["--url", "http://127.0.0.1:1"], "ws://127.0.0.1:8000/v1/stream"),
    ],
    ids=["nothing", "several", "both", "file", "address"],
)
def test_what_cannot_be_is_said_in_one_line(arguments, said):
    done = run(*arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, SpeechError)
    assert said in str(done.exception)


def test_a_server_that_is_not_there_is_named(tmp_path):
    soundfile.write(tmp_path / "said.wav", np.zeros(1600), 16_000)
    done = run("--url", "ws://127.0.0.1:1/v1/stream", "--input", tmp_path / "said.wav")
    assert done.exit_code == 1
    assert str(done.exception).startswith("ws://127.0.0.1:1/v1/stream: cannot be reached")


def test_one_thing_answers():
    assert _answers(True, None, None, None) == "echo"
    assert _answers(False, None, None, "ws://x") == ""
    with pytest.raises(SpeechError, match="--echo, --script FILE"):
        _answers(False, None, None, None)
