"""Vectors are computed once and kept."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from speech.errors import DataError
from speech.metrics.meaning.vectors import Vectors


class Counting:
    languages = None

    def __init__(self, name="counting", fails_at=None):
        self.name, self.asked, self._fails_at = name, [], fails_at

    def encode(self, texts):
        if self._fails_at is not None and len(self.asked) >= self._fails_at:
            raise KeyboardInterrupt
        self.asked += texts
        rows = np.array([[len(text), 1.0] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_what_is_kept_is_not_computed_again_and_is_the_same_to_the_bit(tmp_path):
    first = Vectors(Counting(), tmp_path / "sub" / "vectors.db").of(["a", "bbb", "a"])
    encoder = Counting()
    second = Vectors(encoder, tmp_path / "sub" / "vectors.db").of(["bbb", "cc", "a"])
    assert encoder.asked == ["cc"]
    assert all(np.array_equal(first[text], second[text]) for text in ("a", "bbb"))


def test_two_encoders_share_a_file_but_no_vectors(tmp_path):
    Vectors(Counting("one"), tmp_path / "v").of(["a"])
    other = Counting("two")
    Vectors(other, tmp_path / "v").of(["a"])
    assert other.asked == ["a"]


def test_an_interrupted_run_is_gone_on_with(tmp_path):
    sentences = [f"sentence {number:04}" for number in range(600)]
    with pytest.raises(KeyboardInterrupt):
        Vectors(Counting(fails_at=500), tmp_path / "v").of(sentences)
    encoder, told = Counting(), []
    found = Vectors(encoder, tmp_path / "v").of(sentences, lambda done, total: told.append((done, total)))
    assert len(found) == 600
    assert len(encoder.asked) == 88
    assert told == [(88, 88)]


def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with pytest.raises(DataError, match="Delete it, or name another"):
        Vectors(Counting(), tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "not a database " * 100


def test_a_file_of_an_earlier_version_is_gone_on_with(tmp_path):
    with closing(sqlite3.connect(tmp_path / "v")) as base:
        base.execute("CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
    Vectors(Counting(), tmp_path / "v").of(["a", "b"])
    encoder = Counting()
    Vectors(encoder, tmp_path / "v").of(["a", "b", "c"])
    assert encoder.asked == ["c"]


def test_a_file_that_breaks_in_use_is_named(tmp_path):
    vectors = Vectors(Counting(), tmp_path / "v")
    (tmp_path / "v").write_text("not a database " * 100)
    with pytest.raises(DataError, match="Delete it, or name another"):
        vectors.of(["a"])


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="no file of vectors"):
        Vectors(Counting(), tmp_path / "file" / "v")


def test_two_programs_write_into_one_file(tmp_path):
    """One opens it while the other is at work, as long as that is not in the middle of a batch."""
    inner = Vectors(Counting(), tmp_path / "v")
    outer = Vectors(Counting(), tmp_path / "v")
    outer.of(["a", "b"], lambda *_: inner.of(["c"]))
    encoder = Counting()
    Vectors(encoder, tmp_path / "v").of(["a", "b", "c"])
    assert encoder.asked == []
