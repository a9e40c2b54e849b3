"""Where bytes come from, and what it is called."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from speech.audio.input import source as module
from speech.audio.input.files import load_audio
from speech.audio.input.source import Slice, name_of
from speech.errors import AudioError
from tests.audio.made import RATE, tone, written

WAV = written(tone(1.0))


def test_a_fifo_is_read_once_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(WAV,))
    writer.start()
    np.testing.assert_array_equal(load_audio(path), load_audio(WAV))
    writer.join()


def test_a_descriptor_is_read() -> None:
    read, write = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(write, WAV), os.close(write)))
    writer.start()
    assert len(load_audio(f"/dev/fd/{read}")) == RATE
    writer.join()
    os.close(read)


def test_a_pipe_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_FROM_PIPE", 3 << 20)
    with pytest.raises(AudioError, match="/dev/zero: is a pipe of more than 0 GiB"):
        load_audio("/dev/zero")


def test_nothing_is_no_samples() -> None:
    with pytest.raises(AudioError, match=r"^/dev/null: has no samples"):
        load_audio("/dev/null")


def test_a_name_that_is_not_utf8_is_opened_and_printed(tmp_path: Path) -> None:
    for name, content in ((b"caf\xe9.wav", WAV), (b"caf\xe9.mp3", written(tone(1.0), "MP3"))):
        path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)
        assert len(load_audio(os.fsdecode(path))) == RATE
    missing = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")
    with pytest.raises(AudioError, match=r"xff\.wav: no such file") as caught:
        load_audio(missing)
    assert str(caught.value).encode("utf-8")


def test_what_the_system_refuses_is_said(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read: file name too long"):
        load_audio(tmp_path / ("x" * 300))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(AudioError, match="cannot be read: too many levels of symbolic links"):
        load_audio(tmp_path / "loop")
    with pytest.raises(AudioError, match="cannot be read: embedded null"):
        load_audio("a\0b")


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(WAV)
    (tmp_path / "a.wav").chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # who may read anything
            os.seteuid(65534)
        with pytest.raises(AudioError, match="cannot be read: permission denied"):
            load_audio(tmp_path / "a.wav")
    finally:
        os.seteuid(user)


class Failing(io.BytesIO):
    """A disk with a bad block."""

    def read(self, count: int | None = -1, /) -> bytes:
        if self.tell() <= 9000 < self.tell() + (count or 0):
            raise OSError(5, "Input/output error")
        return super().read(count)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG"])
def test_an_error_of_the_disk_is_never_a_shorter_file(kind: str) -> None:
    with pytest.raises(AudioError, match="cannot be read: input/output error"):
        load_audio(Failing(written(0.1 * np.random.default_rng(0).standard_normal(4 * RATE), kind)))


def test_sources_have_names() -> None:
    assert name_of(b"abc") == "<3 bytes>"
    assert name_of("a\nb.wav") == "a\\nb.wav"
    assert name_of(io.BytesIO()) == "stream"
    with open(os.pipe()[0], "rb") as file:  # noqa: PTH123
        assert name_of(file) == f"descriptor {file.name}"
    with pytest.raises(AudioError, match=r"^the upload: is not audio"):
        load_audio(b"abc" * 99, name="the upload")
    assert module.STANDARD_INPUT == "standard input"
    assert sys.stdin is None or name_of("-") == "-"


def test_a_slice_is_a_file_of_its_own() -> None:
    part = Slice(io.BytesIO(b"0123456789"), 2, 7)
    assert (part.read(), part.read(1), part.seek(1), part.read(2)) == (b"23456", b"", 1, b"34")
    assert (part.seek(-1, os.SEEK_END), part.read(9), part.seek(-2, os.SEEK_CUR), part.read()) == (4, b"6", 3, b"56")
    assert part.seek(-99) == 0
