"""Short files are read together, long ones alone, and results come in the order of the files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speech.errors import ConfigError, SpeechError
from speech.recognize.file_groups import in_groups
from speech.transcript import Transcript

RATE = 16_000


def waves(folder: Path, seconds: Sequence[float]) -> list[Path]:
    paths = [folder / f"{number}.wav" for number in range(len(seconds))]
    for path, count in zip(paths, seconds, strict=True):
        soundfile.write(path, np.full(round(count * RATE), 0.1, np.float32), RATE)
    return paths


class Reader:
    """It writes how long a file is, and remembers what was read together."""

    def __init__(self, fails: float = -1.0) -> None:
        self.calls: list[list[float]] = []
        self.fails = fails

    def __call__(self, files: Sequence[Iterable[np.ndarray]]) -> list[Transcript]:
        seconds = [sum(map(len, blocks)) / RATE for blocks in map(list, files)]
        self.calls.append(seconds)
        if self.fails in seconds:
            raise RuntimeError("no memory")
        return [Transcript(str(one), "und", None, "asr", one, ()) for one in seconds]


def test_short_files_are_read_together_from_short_to_long(tmp_path):
    reader = Reader()
    paths = waves(tmp_path, [1.0, 0.5, 2.0, 9.0, 0.25])
    found = list(in_groups(paths, reader, 3.0, None, None))
    assert [(path, result.duration_s) for path, result in found] == [
        (str(path), seconds) for path, seconds in zip(paths, [1.0, 0.5, 2.0, 9.0, 0.25], strict=True)
    ]
    assert reader.calls == [[0.5, 1.0], [2.0], [9.0], [0.25]]


def test_where_reading_together_fails_each_is_read_alone(tmp_path):
    reader = Reader(fails=0.5)
    paths = waves(tmp_path, [1.0, 0.5, 2.0])
    found = dict(in_groups(paths, reader, 10.0, None, None))
    assert list(found) == [str(path) for path in paths]
    assert str(found[str(paths[1])]) == f"{paths[1]}: cannot be read: RuntimeError: no memory"
    assert [result.duration_s for result in found.values() if isinstance(result, Transcript)] == [1.0, 2.0]
    assert reader.calls == [[0.5, 1.0, 2.0], [1.0], [0.5], [2.0]]


def test_a_file_that_cannot_be_opened_is_its_own_failure(tmp_path):
    paths = [*waves(tmp_path, [1.0]), tmp_path / "none.wav"]
    (_, good), (name, bad) = in_groups(paths, Reader(), 10.0, None, None)
    assert isinstance(good, Transcript)
    assert (name, isinstance(bad, SpeechError)) == (str(paths[1]), True)


@pytest.mark.parametrize("group_s", [10.0, 0.1], ids=["together", "alone"])
def test_what_is_asked_for_is_not_the_fault_of_a_file(tmp_path, group_s):
    def refusing(files: Sequence[Iterable[np.ndarray]]) -> list[Transcript]:
        raise ConfigError("beam 0")

    with pytest.raises(ConfigError):
        list(in_groups(waves(tmp_path, [1.0]), refusing, group_s, None, None))
