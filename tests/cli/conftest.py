"""What commands are given to read."""

import pytest

from tests.cli.scoring import BAD, GOOD, REFERENCE


@pytest.fixture
def folder(tmp_path, wave):
    folder = tmp_path / "audio"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.wav", "deep/a.wav"):
        (folder / name).write_bytes(wave.read_bytes())
    (folder / "notes.md").write_text("no audio, not looked at")
    return folder


@pytest.fixture
def files(tmp_path):
    for name, texts in (("reference", REFERENCE), ("good", GOOD), ("bad", BAD)):
        (tmp_path / f"{name}.txt").write_text("".join(f"{key} {text}\n" for key, text in texts.items()))
    return tmp_path
