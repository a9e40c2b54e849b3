"""Results as text, JSON or subtitles, and where they go."""

import pytest

from speech.cli.results import OutputFormat, Rendering
from speech.errors import ConfigError
from speech.transcript import SubtitleStyle
from tests.cli.calling import run


def test_two_inputs_for_one_output_are_refused(checkpoint, tmp_path, wave):
    other = tmp_path / "wave.flac"
    other.write_bytes(wave.read_bytes())
    with pytest.raises(ConfigError, match="both be written"):
        run("transcribe", wave, other, "--model", checkpoint, "--output-dir", tmp_path / "out")


def test_subtitles_of_several_files_on_standard_output_stay_apart(checkpoint, folder, wave, tmp_path):
    with pytest.raises(ConfigError, match=r"2 files would be one stream of srt\. Give --output-dir"):
        run("transcribe", folder, "--format", "srt", "--model", tmp_path / "is not even looked for")
    assert run("transcribe", wave, "--format", "vtt", "--model", checkpoint).stdout.startswith("WEBVTT\n")


def test_subtitles_look_as_asked_in_files_in_batches_and_aligned(checkpoint, folder, tmp_path):
    options = ["--format", "srt", "--max-line-width", "6", "--max-lines", "3", "--highlight-words"]
    text = ["--text", "the cat sat on the street", "--model", checkpoint]
    shown = run("align", folder / "b.wav", *text, *options).stdout
    assert "<u>the</u>\ncat\nsat" in shown
    assert len(shown) > len(run("align", folder / "b.wav", *text, "--format", "srt").stdout)
    common = ["transcribe", folder / "b.wav", "--model", checkpoint, *options, "--output-dir"]
    assert run(*common, tmp_path / "a").exit_code == run(*common, tmp_path / "b", "--engine", "local").exit_code == 0
    assert (tmp_path / "a" / "b.srt").read_text() == (tmp_path / "b" / "b.srt").read_text()


def test_a_ledger_tells_styles_of_subtitles_apart():
    styles = [SubtitleStyle(), SubtitleStyle(max_cps=3.0), SubtitleStyle(highlight_words=True)]
    assert len({Rendering(OutputFormat.srt, style).identity for style in styles}) == 3
    assert Rendering(OutputFormat.txt).identity == "txt"  # as ledgers have it that are there


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--max-cps", "10"], "--max-cps applies to subtitles, not txt"),
     (["--highlight-words"], "--highlight-words applies"),
     (["--format", "srt", "--max-lines", "0"], "cues of 0 lines")],
)  # fmt: skip
def test_options_of_subtitles_are_for_subtitles(wave, options, message):
    with pytest.raises(ConfigError, match=message):
        run("transcribe", wave, *options)
