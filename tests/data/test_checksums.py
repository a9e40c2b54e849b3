"""`speech.data.checksums`: a corpus is what it was when it was made, or it is said which files are not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from speech.data.checksums import CHECKSUMS, verify, write_checksums
from speech.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "audio").mkdir()
    for name in ("a.jsonl", "audio/b.flac", "audio/ä c.flac"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    return tmp_path


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != CHECKSUMS]


def test_what_was_written_is_verified_here_and_by_sha256sum(folder: Path) -> None:
    assert write_checksums(folder, files(folder)) == folder / CHECKSUMS
    assert verify(folder) == 3
    assert not list(folder.glob(".*"))
    subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=folder, check=True, capture_output=True)


def test_a_folder_and_its_files_may_be_named_from_here_or_from_the_root(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    relative = Path(folder.name)
    write_checksums(relative, files(folder))
    text = (folder / CHECKSUMS).read_text("utf-8")
    assert verify(relative) == 3
    write_checksums(folder, [*files(relative), *files(folder)])
    assert (folder / CHECKSUMS).read_text("utf-8") == text


def test_a_changed_byte_is_noticed(folder: Path) -> None:
    write_checksums(folder, files(folder))
    data = bytearray((folder / "audio/b.flac").read_bytes())
    data[-1] ^= 1
    (folder / "audio/b.flac").write_bytes(data)
    with pytest.raises(DataError, match=r"audio/b\.flac was changed.*Make the corpus anew") as error:
        verify(folder)
    assert error.value.where == str(folder)


def test_a_missing_file_is_noticed_and_of_many_the_first_are_named(folder: Path) -> None:
    for number in range(4):
        (folder / f"x{number}").write_text("x")
    write_checksums(folder, files(folder))
    for number in range(4):
        (folder / f"x{number}").unlink()
    (folder / "a.jsonl").write_text("")
    with pytest.raises(DataError, match=r"a\.jsonl was changed; x0 is missing; x1 is missing, and 2 more"):
        verify(folder)


@pytest.mark.parametrize("line", ["abc  a.jsonl", "0" * 64, f"{'0' * 64} a.jsonl", "", f"{'0' * 64}  "])
def test_a_line_that_is_none_is_named(folder: Path, line: str) -> None:
    written = write_checksums(folder, files(folder))
    lines = written.read_text("utf-8").splitlines()
    written.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n", "utf-8")
    with pytest.raises(DataError, match="no checksum and name") as error:
        verify(folder)
    assert error.value.where == f"{written}:2"


def test_without_a_list_nothing_is_verified(folder: Path) -> None:
    with pytest.raises(DataError, match=f"{CHECKSUMS}: no such file"):
        verify(folder)


def test_an_interrupted_list_does_not_replace_the_old_one(folder: Path) -> None:
    written = write_checksums(folder, files(folder))
    before = written.read_bytes()
    with pytest.raises(FileNotFoundError):
        write_checksums(folder, [*files(folder), folder / "none"])
    assert written.read_bytes() == before
