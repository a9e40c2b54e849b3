"""Workers that die, files that kill, drivers that are killed: every file is read once, or said to be bad."""

from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.batch.driver import run, shard
from speech.batch.ledger import Ledger
from speech.batch.pool import Outcome
from speech.errors import FileError
from speech.files import write_atomically
from speech.transcript import Transcript
from tests.batch.writing import write


def test_a_result_that_cannot_have_its_name_is_a_failure_and_a_full_disk_is_the_end(tmp_path):
    def refusing(path, transcript):
        target = tmp_path / ("x" * 300 if path == "long" else f"{path}.txt")
        if path == "full":
            target = Path("/dev/null/full")
        write_atomically(target, transcript.text)
        return target

    ledger = Ledger(tmp_path / "run.sqlite")
    found = dict(run(ledger.plan(["a", "long", "b"], ""), ledger, Scripted([], 1), refusing))
    assert str(found.pop("long")) == f"{tmp_path / ('x' * 300)}: cannot be written: file name too long"
    assert all(isinstance(result, Transcript) for result in found.values())
    with pytest.raises(FileError, match="full: cannot be written: not a directory"):
        list(run(ledger.plan(["full"], ""), ledger, Scripted([], 1), refusing))
    ledger.close()


class Scripted:
    """A pool whose workers die as the script says, for many runs."""

    def __init__(self, deaths: list[bool], room: int) -> None:
        self.deaths, self.room, self.reading = deaths, room, []

    @property
    def free(self) -> int:
        return self.room - len(self.reading)

    @property
    def busy(self) -> int:
        return len(self.reading)

    def submit(self, path: str) -> None:
        self.reading.append(path)

    def wait(self) -> list[Outcome]:
        path = self.reading.pop(len(self.deaths) % len(self.reading))
        died = self.deaths.pop() if self.deaths else False
        return [Outcome(path, None if died else Transcript(path, "eng", 1.0, "asr", 1.0, ()))]


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(0, 12))
def test_no_order_of_deaths_loses_or_doubles_a_file(tmp_path_factory, deaths, room, count):
    folder = tmp_path_factory.mktemp("run")
    ledger = Ledger(folder / "run.sqlite")
    names = [f"file{n}" for n in range(count)]
    found = list(run(ledger.plan(names, ""), ledger, Scripted(list(deaths), room), partial(write, folder)))
    assert sorted(path for path, _ in found) == sorted(names)
    for path, result in found:
        assert (folder / f"{path}.txt").exists() == isinstance(result, Transcript)
    ledger.close()


@given(st.lists(st.text("abc/", min_size=1, max_size=8), max_size=30, unique=True), st.integers(1, 5))
def test_shards_are_disjoint_and_together_all(names, count):
    files = [f"/data/{name.strip('/') or 'x'}.wav" for name in names]
    parts = [shard(files, number, count) for number in range(count)] if files else []
    assert sorted(file for part in parts for file in part) == sorted(files)
    moved = [file.replace("/data", "/elsewhere") for file in files]
    assert [[f.replace("/elsewhere", "/data") for f in shard(moved, n, count)] for n in range(len(parts))] == parts
