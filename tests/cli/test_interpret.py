"""`speech interpret`: options that cannot be met are refused before anything is loaded."""

import pytest

from speech.errors import ConfigError, FileError, LanguageError
from tests.cli.calling import run

CLIP = "speech/assets/clips/ast_fr_priv-callpending.ogg"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--output", "x.txt"], ConfigError, "--output x.txt"),
        (["--output", "x.pcm"], ConfigError, "--output x.pcm"),
        (["--output", "x.wav", "--words", "x.csv"], ConfigError, "--words x.csv"),
        (["--output", "x.wav", "--clone"], ConfigError, "--clone and --consent"),
        (["--output", "x.wav", "--consent", "x.txt"], ConfigError, "--clone and --consent"),
        (["--output", "x.wav", "--consent", "x.txt", "--clone", "--voice", "a"], ConfigError, "--clone with --voice"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        run("interpret", CLIP, "--to", "eng", *options)


def test_files_and_languages_that_there_are_not(tmp_path):
    output = tmp_path / "x.wav"
    with pytest.raises(FileError, match="none"):
        run("interpret", tmp_path / "none.wav", "--to", "eng", "--output", output)
    with pytest.raises(LanguageError, match="nolanguage"):
        run("interpret", CLIP, "--to", "nolanguage", "--output", output)
    assert not output.exists()
