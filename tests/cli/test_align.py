"""`speech align`: the words of a text, with times."""

import json

import pytest

from speech.errors import ConfigError, FileError, SpeechError
from tests.cli.calling import run


def test_align_prints_the_words_of_the_text_in_order(checkpoint, folder, tmp_path):
    (tmp_path / "text.txt").write_text("The cat, the DOG!")
    for arguments in (["--text", "The cat, the DOG!"], ["--text-file", tmp_path / "text.txt"]):
        result = run("align", folder / "b.wav", *arguments, "--model", checkpoint)
        row = json.loads(result.stdout)
        assert [word["text"] for word in row["words"]] == ["the", "cat", "the", "dog"]
        times = [time for word in row["words"] for time in (word["start"], word["end"])]
        assert times == sorted(times)
    with pytest.raises(ConfigError, match="--text or --text-file is needed"):
        run("align", folder / "b.wav", "--model", checkpoint)
    with pytest.raises(FileError, match="none: cannot be read: no such file"):
        run("align", folder / "b.wav", "--text-file", tmp_path / "none", "--model", checkpoint)


def test_align_refuses_what_cannot_be_aligned(checkpoint, folder):
    for text, message in (("字", "字"), ("!", "empty"), ("the cat " * 50, "frames")):
        with pytest.raises(SpeechError, match=message):
            run("align", folder / "b.wav", "--text", text, "--model", checkpoint)
