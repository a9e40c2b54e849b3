"""`speech transcribe` end to end: what is printed, written, skipped, refused."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from speech.cli.app import app
from speech.cli.results import OutputFormat, Rendering
from speech.decode.bias.phrases import Phrase, read_phrases
from speech.decode.label.joint import JointConfig
from speech.errors import AudioError, ConfigError, FileError, SpeechError
from speech.transcript import SubtitleStyle
from tests.tiny_hybrid import save_tiny_hybrid

runner = CliRunner()


def run(*arguments: str, **options):
    return runner.invoke(app, [str(a) for a in arguments], catch_exceptions=False, **options)


@pytest.fixture
def folder(tmp_path, wave):
    folder = tmp_path / "audio"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.wav", "deep/a.wav"):
        (folder / name).write_bytes(wave.read_bytes())
    (folder / "notes.md").write_text("no audio, not looked at")
    return folder


def test_jsonl_prints_one_object_per_file_with_the_promised_keys(checkpoint, folder):
    result = run("transcribe", folder, "--model", checkpoint, "--format", "jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [row["path"] for row in rows] == [str(folder / "b.wav"), str(folder / "deep" / "a.wav")]
    assert set(rows[0]) == {"path", "duration", "language", "language_probability", "task", "text", "words"}
    assert all(set(word) == {"text", "start", "end", "confidence", "language"} for word in rows[0]["words"])


def test_a_bad_file_is_reported_and_the_exit_code_is_2(checkpoint, folder):
    (folder / "bad.wav").write_text("text")
    result = run("transcribe", folder, "--model", checkpoint, "--format", "jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 2
    assert set(rows[1]) == {"path", "error"}
    assert "is not audio" in rows[1]["error"]
    assert len(rows) == 3


@pytest.mark.parametrize("format", ["txt", "json", "srt", "vtt"])
def test_output_dir_is_written_whole_and_resumed(checkpoint, folder, tmp_path, format):
    arguments = ["transcribe", folder, "--model", checkpoint, "--format", format, "--output-dir", tmp_path / "out"]
    assert run(*arguments).exit_code == 0
    written = sorted((tmp_path / "out").rglob("*.*"))
    assert [str(p.relative_to(tmp_path / "out")) for p in written] == [f"b.{format}", f"deep/a.{format}"]
    written[0].write_text("kept")
    written[1].unlink()
    assert "1 of 2 are there already" in run(*arguments).stderr
    assert written[0].read_text() == "kept"
    assert written[1].is_file()


def test_globs_are_expanded_and_must_match(checkpoint, folder):
    result = run("transcribe", f"{folder}/**/*.wav", "--model", checkpoint)
    assert len(result.stdout.splitlines()) == 2
    with pytest.raises(AudioError, match="matches no audio"):
        run("transcribe", f"{folder}/*.mp3", "--model", checkpoint)


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


@pytest.mark.parametrize("options", [["--task", "st"], ["--to", "eng"]])
def test_translation_needs_both_options(checkpoint, wave, options):
    with pytest.raises(ConfigError, match="belong together"):
        run("transcribe", wave, "--model", checkpoint, *options)


def test_phrases_come_from_the_command_line_and_from_files(checkpoint, wave, tmp_path):
    (tmp_path / "names.txt").write_text("Ada\n\nnew york^2\n", "utf-8")
    assert read_phrases([f"@{tmp_path / 'names.txt'}", "the cat", "Ada"]) == (
        Phrase("Ada"), Phrase("new york", 2.0), Phrase("the cat"),
    )  # fmt: skip
    assert run("transcribe", wave, "--model", checkpoint, "--phrase", "the cat").exit_code == 0
    with pytest.raises(FileError, match=r"^missing\.txt: cannot be read: no such file or directory"):
        read_phrases(["@missing.txt"])
    with pytest.raises(ConfigError, match="'γάτα': has characters that the model does not write"):
        run("transcribe", wave, "--model", checkpoint, "--phrase", "γάτα")


def test_a_graph_takes_the_place_of_beam_and_phrases(checkpoint, wave, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    common = ["transcribe", wave, "--model", checkpoint, "--graph"]
    done = run(*common, words)
    assert set(done.stdout.split()) <= {"cat", "dog"}
    for wrong, message in ((["--beam", "4"], "takes the place"), (["--phrase", "cat"], "cannot be preferred")):
        with pytest.raises(ConfigError, match=message):
            run(*common, words, *wrong)
    for more in ([], ["--engine", "local", "--output-dir", tmp_path / "out"]):
        with pytest.raises(FileError, match=r"missing\.txt: cannot be read: no such file"):
            run(*common, tmp_path / "missing.txt", *more)


def test_two_inputs_for_one_output_are_refused(checkpoint, tmp_path, wave):
    other = tmp_path / "wave.flac"
    other.write_bytes(wave.read_bytes())
    with pytest.raises(ConfigError, match="both be written"):
        run("transcribe", wave, other, "--model", checkpoint, "--output-dir", tmp_path / "out")


def test_a_users_mistake_is_one_line_and_exit_code_1(checkpoint, wave):
    command = [sys.executable, "-m", "speech.cli.app", "transcribe", str(wave), "--language", "germn"]
    done = subprocess.run([*command, "--model", str(checkpoint)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 'germn' is not a known language. Did you mean")
    assert len(done.stderr.splitlines()) == 1


def test_a_model_describes_itself(checkpoint):
    result = run("models", checkpoint)
    assert "deu eng spa" in result.stdout
    assert "40 ms" in result.stdout
    assert "owsm_ctc" in result.stdout
    size = sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file())
    assert f"on disk       {size / 1e6:.1f} MB" in result.stdout
    assert "label" not in result.stdout


def test_a_hybrid_describes_both_halves(tmp_path):
    save_tiny_hybrid(tmp_path / "hybrid", JointConfig())
    whole = run("models", tmp_path / "hybrid").stdout
    assert "kind          hybrid" in whole
    size = sum(file.stat().st_size for file in (tmp_path / "hybrid").rglob("*") if file.is_file())
    assert f"on disk       {size / 1e6:.1f} MB" in whole
    assert "deu eng gla" in whole
    assert "it writes     eng deu spa" in whole
    label = run("models", tmp_path / "hybrid" / "label").stdout
    assert "kind          whisper" in label
    assert "languages     eng deu spa" in label
    assert "live          parts" in label


def test_the_demo_shows_every_clip_and_writes_subtitles(checkpoint, tmp_path):
    result = run("demo", "--output-dir", tmp_path, "--model", checkpoint)
    assert result.exit_code == 0
    assert "8 clips, 6 languages" in result.stdout
    assert len(list(tmp_path.glob("*.srt"))) == 8
    assert any("-->" in path.read_text() for path in tmp_path.glob("*.srt"))


def test_a_beam_reads_the_same_files_and_a_language_model_needs_one(checkpoint, folder):
    result = run("transcribe", folder, "--model", checkpoint, "--format", "jsonl", "--beam", "3")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    with pytest.raises(ConfigError, match="beam 1"):
        run("transcribe", folder, "--model", checkpoint, "--lm", folder / "b.wav", "--beam", "1")
    with pytest.raises(ConfigError, match="beam 0"):
        run("transcribe", folder, "--model", checkpoint, "--beam", "0")


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


@pytest.mark.parametrize("engine", [[], ["--engine", "local"]], ids=["here", "local"])
def test_the_folder_of_results_is_tried_before_a_model_is_loaded(wave, tmp_path, engine):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="file: cannot be written: not a directory"):
        run("transcribe", wave, "--output-dir", tmp_path / "file", "--model", tmp_path / "none", *engine)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--lm", "none.arpa", "none.arpa: cannot be read: no such file"),
     ("--graph", "none.txt", "none.txt: cannot be read: no such file"),
     ("--adapters", "none", "none: is not a folder of adapters"),
     ("--phrase", "@latin", "latin:1: is not UTF-8: byte 3"),
     ("--model", "none", "none: no such model")],
)  # fmt: skip
def test_files_that_options_name_are_tried_before_a_model_is_loaded(
    wave, tmp_path, monkeypatch, option, value, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    model = [] if option == "--model" else ["--model", "no model is looked for"]
    with pytest.raises(SpeechError, match=message):
        run("transcribe", wave, option, value, *model)


def test_a_folder_that_cannot_be_searched_is_a_failure_beside_what_is_read(checkpoint, folder, monkeypatch):
    scandir = os.scandir

    def refusing(path="."):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    result = run("transcribe", folder, "--model", checkpoint)
    assert result.exit_code == 2
    assert f"failed: {folder / 'deep'}: cannot be searched: permission denied" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_names_are_printed_as_they_can_be_and_json_stays_json(checkpoint, wave, tmp_path):
    name = "caf\udce9 [red]\n.wav"
    (tmp_path / name).write_bytes(wave.read_bytes())
    (row,) = json.loads(run("transcribe", tmp_path / name, "--format", "json", "--model", checkpoint).stdout)
    assert row["path"] == f"{tmp_path}/caf\\xe9 [red]\\n.wav"
    (tmp_path / "bad [x].wav").write_text("no audio")
    result = run("transcribe", tmp_path / name, tmp_path / "bad [x].wav", "--model", checkpoint)
    assert f"failed: {tmp_path}/bad [x].wav: is not audio" in result.stderr
    assert result.exit_code == 2


def test_silence_is_in_no_language(checkpoint, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000, np.int16), 16000)
    row = json.loads(run("transcribe", tmp_path / "silence.wav", "--format", "jsonl", "--model", checkpoint).stdout)
    assert (row["text"], row["language"], row["language_probability"]) == ("", "und", None)


def test_a_name_that_is_too_long_is_one_failure(checkpoint, wave, tmp_path):
    long = wave.with_name("x" * 251 + ".wav")
    long.write_bytes(wave.read_bytes())
    result = run("transcribe", long, wave, "--format", "jsonl", "--output-dir", tmp_path / "o", "--model", checkpoint)
    assert result.exit_code == 2
    assert ".jsonl: cannot be written: file name too long" in result.stderr
    assert (tmp_path / "o" / "wave.jsonl").is_file()
    assert run("transcribe", "y" * 300, wave, "--model", checkpoint).exit_code == 2
