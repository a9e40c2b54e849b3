"""`speech transcribe` end to end: what is printed, written, skipped, refused."""

import json

import numpy as np
import pytest
import soundfile

from speech.decode.bias.phrases import Phrase, read_phrases
from speech.errors import AudioError, ConfigError, FileError, SpeechError
from tests.cli.calling import run


def test_jsonl_prints_one_object_per_file_with_the_promised_keys(checkpoint, folder):
    result = run("transcribe", folder, "--model", checkpoint, "--format", "jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [row["path"] for row in rows] == [str(folder / "b.wav"), str(folder / "deep" / "a.wav")]
    assert set(rows[0]) == {"path", "duration", "language", "language_probability", "task", "text", "words"}
    assert all(set(word) == {"text", "start", "end", "confidence", "language"} for word in rows[0]["words"])


def test_globs_are_expanded_and_must_match(checkpoint, folder):
    result = run("transcribe", f"{folder}/**/*.wav", "--model", checkpoint)
    assert len(result.stdout.splitlines()) == 2
    with pytest.raises(AudioError, match="matches no audio"):
        run("transcribe", f"{folder}/*.mp3", "--model", checkpoint)


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


def test_a_beam_reads_the_same_files_and_a_language_model_needs_one(checkpoint, folder):
    result = run("transcribe", folder, "--model", checkpoint, "--format", "jsonl", "--beam", "3")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    with pytest.raises(ConfigError, match="beam 1"):
        run("transcribe", folder, "--model", checkpoint, "--lm", folder / "b.wav", "--beam", "1")
    with pytest.raises(ConfigError, match="beam 0"):
        run("transcribe", folder, "--model", checkpoint, "--beam", "0")


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


def test_silence_is_in_no_language(checkpoint, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000, np.int16), 16000)
    row = json.loads(run("transcribe", tmp_path / "silence.wav", "--format", "jsonl", "--model", checkpoint).stdout)
    assert (row["text"], row["language"], row["language_probability"]) == ("", "und", None)
