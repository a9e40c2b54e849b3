"""What paths mean, and that what cannot be searched is named."""

import os

import pytest

from speech.cli.inputs import expand
from speech.errors import AudioError, DataError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.wav", "deep/a.OGG", "deep/notes.md", "closed/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.fixture
def closed(folder, monkeypatch):
    """A folder that the system does not let us search, whoever we are."""
    scandir = os.scandir

    def refusing(path="."):
        if str(path).rstrip("/").endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    return folder / "closed"


def test_folders_are_searched_for_audio_and_each_file_is_there_once(folder):
    found = expand([str(folder / "b.wav"), str(folder), "-", "-"])
    names = [os.path.relpath(path, folder) if path != "-" else path for path in found.files]
    assert names == ["b.wav", "closed/c.wav", "deep/a.OGG", "-"]
    assert found.unsearched == []


@pytest.mark.parametrize("path", ["", "**/*.wav", "**/*.*"])
def test_a_folder_that_cannot_be_searched_is_named_and_the_others_are_read(folder, closed, path):
    found = expand([str(folder / path)])
    assert str(folder / "b.wav") in found.files
    assert [str(error) for error in found.unsearched] == [f"{closed}: cannot be searched: permission denied"]


def test_a_folder_of_which_nothing_can_be_searched_is_no_empty_one(folder, closed):
    found = expand([str(closed)])
    assert found.files == []
    assert len(found.unsearched) == 1


def test_a_file_of_which_nothing_can_be_known_is_tried(folder):
    (folder / "broken.wav").symlink_to(folder / "nowhere.wav")
    assert str(folder / "broken.wav") in expand([str(folder)]).files


def test_pipes_in_folders_are_left_alone(folder):
    os.mkfifo(folder / "pipe.wav")
    assert str(folder / "pipe.wav") not in expand([str(folder)]).files


@pytest.mark.parametrize("name", ["x" * 300, "caf\udce9.wav", "talk [abc].wav"], ids=ascii)
def test_odd_names_are_files(folder, name):
    try:
        (folder / name).write_bytes(b"x")
    except OSError:
        assert len(name) > 255
    assert expand([str(folder / name)]).files == [str(folder / name)]


def test_what_matches_nothing_is_an_error(folder):
    with pytest.raises(AudioError, match=r"no \[/such\]\.wav: holds or matches no audio file"):
        expand(["no [/such].wav"])
    (folder / "empty").mkdir()
    with pytest.raises(AudioError, match="empty: holds or matches no audio file"):
        expand([str(folder / "empty")])
    with pytest.raises(DataError, match="no such manifest"):
        expand([str(folder / "none.jsonl")])
