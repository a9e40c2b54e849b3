"""`speech transcribe --engine`: many files, killed and resumed, in shards."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from speech.cli.app import app
from speech.cli.batch import parse_shard
from speech.errors import ConfigError, SpeechError
from tests.conftest import CLIPS


@pytest.mark.parametrize("engine", ["cluster", "shard=3/3", "shard=1", "shard=a/b"])
def test_engines_that_do_not_exist_are_refused(engine):
    with pytest.raises(ConfigError, match="engine"):
        parse_shard(engine)


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Real clips, several times."""
    folder = tmp_path / "corpus"
    for copy in range(2):
        (folder / str(copy)).mkdir(parents=True)
        for clip in CLIPS.parent.glob("*.ogg"):
            (folder / str(copy) / clip.name).write_bytes(clip.read_bytes())
    (folder / "0" / "broken.wav").write_bytes(b"RIFF and no more")
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*.jsonl"))}


def test_a_driver_that_is_killed_goes_on_where_it_was(corpus, checkpoint, tmp_path):
    shared = ("--model", checkpoint, "--format", "jsonl", "--output-dir")
    plain = CliRunner().invoke(app, [str(a) for a in ("transcribe", corpus, *shared, tmp_path / "plain")])
    assert plain.exit_code == 2
    expected = texts(tmp_path / "plain")
    words = [str(a) for a in ("transcribe", corpus, *shared, tmp_path / "out", "--engine", "local", "--workers", 2)]
    command = [sys.executable, "-m", "speech.cli.app", *words]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while driver.poll() is None and len(texts(tmp_path / "out")) <= 1:
        time.sleep(0.005)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL, "it was too quick to be killed"
    resumed = CliRunner().invoke(app, words)
    assert resumed.exit_code == 2
    assert f"{len(expected)} done, 1 failed" in resumed.stderr
    assert "need nothing" in resumed.stderr
    assert texts(tmp_path / "out") == expected
    again = CliRunner().invoke(app, words)
    assert f"{len(expected) + 1} of {len(expected) + 1} need nothing" in again.stderr


def test_shards_together_are_the_whole(corpus, checkpoint, tmp_path):
    shared = ("--model", checkpoint, "--format", "jsonl", "--output-dir", tmp_path / "out")
    for number in range(2):
        found = CliRunner().invoke(app, [*map(str, ("transcribe", corpus, *shared)), "--engine", f"shard={number}/2"])
        assert found.exit_code in (0, 2), found.output
    manifest = tmp_path / "list.jsonl"
    clips = sorted(corpus.rglob("*.ogg"))
    manifest.write_text(
        "".join(
            json.dumps({"id": str(n), "audio": str(c), "duration": 1.0, "lang": "eng", "text": "x"}) + "\n"
            for n, c in enumerate(clips)
        )
    )
    whole = CliRunner().invoke(
        app,
        [
            "transcribe",
            str(manifest),
            "--model",
            str(checkpoint),
            "--format",
            "jsonl",
            "--output-dir",
            str(tmp_path / "w"),
        ],
    )
    assert whole.exit_code == 0
    assert texts(tmp_path / "out") == texts(tmp_path / "w")


def test_an_engine_needs_a_place_for_results_and_files(checkpoint, wave, tmp_path):
    for words, message in (
        ([wave, "--engine", "local"], "needs --output-dir"),
        (["-", "--engine", "local", "--output-dir", tmp_path], "standard input"),
    ):
        found = CliRunner().invoke(app, ["transcribe", *map(str, words), "--model", str(checkpoint)])
        assert isinstance(found.exception, SpeechError)
        assert message in str(found.exception)
