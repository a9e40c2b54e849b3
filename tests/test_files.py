"""Writing whole or not at all, and what the system refuses."""

import os
from pathlib import Path

import pytest

from speech.errors import FileError, ModelError
from speech.files import (
    check_readable,
    check_writable,
    is_stream,
    name_is_refused,
    partial_file,
    printable,
    read_text,
    replacing,
    replacing_folder,
    write_atomically,
)


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    target = tmp_path / "new" / "file.txt"
    write_atomically(target, "one")
    write_atomically(target, "zwei ü")
    assert target.read_text("utf-8") == "zwei ü"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_after_an_error_the_old_file_is_there_and_nothing_partial(tmp_path):
    target = tmp_path / "file.txt"
    write_atomically(target, "old")

    def half() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half", "utf-8")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        half()
    assert target.read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_with_a_folder_in_it_replaces_an_older_one_and_others_can_read_it(tmp_path):
    for text in ("old", "new"):
        with replacing_folder(tmp_path / "m") as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / "file").write_text(text)
            assert not (tmp_path / "m").exists() or text == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m" / "inner" / "file").read_text() == "new"
    assert (tmp_path / "m" / "inner").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "m" / "inner" / "file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("raised", "expected"), [(OSError("full"), FileError), (ModelError("bad"), ModelError)])
def test_after_an_error_the_older_folder_is_there_and_nothing_else(tmp_path, raised, expected):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "file").write_text("old")

    def fail() -> None:
        with replacing_folder(tmp_path / "m") as folder:
            (folder / "file").write_text("new")
            raise raised

    with pytest.raises(expected):
        fail()
    assert [path.name for path in tmp_path.rglob("*")] == ["m", "file"]
    assert (tmp_path / "m" / "file").read_text() == "old"


def test_a_folder_whose_name_is_refused_is_named_with_the_reason(tmp_path):
    name = "x" * 254  # a valid name, but not that of the temporary folder, which is longer
    with (
        pytest.raises(FileError, match=f"{name}: cannot be written: file name too long"),
        replacing_folder(tmp_path / name),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_renamed_is_gone_after_the_block(tmp_path):
    with partial_file(tmp_path / "new") as kept, partial_file(tmp_path / "new") as dropped:
        assert kept.name.startswith(".")
        dropped.write_text("dropped")
        kept.rename(tmp_path / "new" / "name")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["name"]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("file", "not a directory"), ("file/below", "not a directory")],
)
def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path, folder, expected):
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(FileError, match=f"{folder}.*: cannot be written: ({expected})"):
        check_writable(tmp_path / folder)
    with pytest.raises(FileError, match=f"cannot be written: ({expected})"):
        write_atomically(tmp_path / folder / "a.txt", "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path):
    def fill() -> None:
        with replacing(tmp_path / "a"), Path("/dev/full").open("wb") as full:
            full.write(b"x")

    with pytest.raises(FileError, match="cannot be written: no space left on device"):
        fill()
    assert not list(tmp_path.iterdir())


def test_a_text_of_another_encoding_is_refused_by_its_first_wrong_byte(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf" + b"\xe9")
    with pytest.raises(FileError, match=r"latin\.txt: is not UTF-8: byte 3 is 0xe9"):
        read_text(path)
    with pytest.raises(FileError, match="cannot be read: no such file or directory"):
        read_text(tmp_path / "none.txt")


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path):
    path = tmp_path / "bom.txt"
    path.write_bytes("\ufeffhello".encode())
    assert read_text(path) == "hello"


def test_names_are_printed_whatever_their_bytes():
    assert printable("café.wav") == "café.wav"
    assert printable(os.fsdecode(b"caf\xe9.wav")) == r"caf\xe9.wav"
    assert printable("a\nb\x1b[31m") == r"a\nb\x1b[31m"


def test_a_file_is_tried_before_work_begins_and_nothing_is_taken_from_a_pipe(tmp_path):
    check_readable(Path(__file__))
    with pytest.raises(FileError, match="none: cannot be read: no such file or directory"):
        check_readable(tmp_path / "none")
    with pytest.raises(FileError, match="cannot be read: is a directory"):
        check_readable(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    check_readable(tmp_path / "pipe")  # does not wait for somebody to write


def test_a_name_that_is_refused_concerns_one_file_alone(tmp_path):
    (tmp_path / "file").write_text("x", "utf-8")
    found = []
    for target in (tmp_path / ("x" * 300), tmp_path / "file" / "a"):
        with pytest.raises(FileError) as refused:
            write_atomically(target, "x")
        found.append(name_is_refused(refused.value))
    assert found == [True, False]
    assert not list(tmp_path.glob(".*"))


def test_halves_of_pairs_can_be_printed():
    assert printable("\ud800 a") == "\\ud800 a"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, "x")
        assert os.read(reader, 10) == b"x"
    finally:
        os.close(reader)
    assert is_stream(pipe)
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "nowhere")
