"""The commands with a label model alone: what they print, and what they refuse."""

import json

import pytest
from typer.testing import CliRunner

from speech import Recognizer
from speech.cli.app import app
from speech.errors import ConfigError, ModelError

runner = CliRunner()


def run(*arguments: object):
    return runner.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path, wave):
    folder = tmp_path / "audio"
    folder.mkdir()
    for name in ("a.wav", "b.wav"):
        (folder / name).write_bytes(wave.read_bytes())
    return folder


def test_a_folder_is_transcribed(whisper_checkpoint, folder):
    result = run("transcribe", folder, "--model", whisper_checkpoint, "--format", "jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    expected = Recognizer.from_pretrained(str(whisper_checkpoint)).transcribe(folder / "a.wav")
    assert result.exit_code == 0
    assert [row["text"] for row in rows] == [expected.text] * 2
    assert expected.text


def test_a_model_describes_itself(whisper_checkpoint):
    said = " ".join(run("models", whisper_checkpoint).stdout.split())
    assert "kind whisper" in said
    assert "live parts: what is under way is read again" in said
    assert "languages eng deu spa" in said
    assert "frame 20 ms" in said


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["transcribe", "{wave}", "--phrase", "the cat"], "phrases: this model has no CTC. Use a CTC or hybrid model"),
        (["transcribe", "{wave}", "--cut", "windows"], "windows: this model has no CTC"),
        (["transcribe", "{wave}", "--graph", "{wave}"], "a graph: this model has no CTC"),
        (["align", "{wave}", "--text", "the cat"], "alignment: this model has no CTC. Use a CTC or hybrid model"),
        (["transcribe", "{wave}", "--to", "eng", "--task", "st"], "does not translate into English"),
    ],
)
def test_what_needs_ctc_is_refused_by_name(whisper_checkpoint, wave, arguments, what):
    with pytest.raises((ConfigError, Exception), match=what):
        run(*[argument.format(wave=wave) for argument in arguments], "--model", whisper_checkpoint)


@pytest.mark.parametrize("command", ["trim", "adapters"])
def test_commands_on_ctc_models_say_that_there_is_none(whisper_checkpoint, tmp_path, command):
    (tmp_path / "texts.txt").write_text("the cat\n")
    more = {
        "trim": ["--texts", tmp_path / "texts.txt", "--to", tmp_path / "x"],
        "adapters": [],
    }[command]
    subcommand = ["list"] if command == "adapters" else []
    with pytest.raises(ModelError, match=r"kind 'whisper'.*It has no CTC: use a CTC or hybrid model"):
        run(command, *subcommand, whisper_checkpoint, *more)
