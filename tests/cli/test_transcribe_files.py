"""What `speech transcribe` does with files that fail, are there already, or have odd names."""

import json
import os

import pytest

from tests.cli.calling import run


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


def test_a_name_that_is_too_long_is_one_failure(checkpoint, wave, tmp_path):
    long = wave.with_name("x" * 251 + ".wav")
    long.write_bytes(wave.read_bytes())
    result = run("transcribe", long, wave, "--format", "jsonl", "--output-dir", tmp_path / "o", "--model", checkpoint)
    assert result.exit_code == 2
    assert ".jsonl: cannot be written: file name too long" in result.stderr
    assert (tmp_path / "o" / "wave.jsonl").is_file()
    assert run("transcribe", "y" * 300, wave, "--model", checkpoint).exit_code == 2
