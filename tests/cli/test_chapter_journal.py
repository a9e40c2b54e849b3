"""The folder of a spoken book: what counts as whole, renamed and removed chapters, and journals that lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speech.cli.chapter_journal import JOURNAL, ChapterEntry, ChapterJournal, ChapterState, digest, file_stem

HOW = {"voice": "high", "rate": 1.0}


def put(folder: Path, stem: str, text: str, how=HOW, suffix: str = ".mp3") -> None:
    (folder / f"{stem}{suffix}").write_text(text)
    (folder / f"{stem}.json").write_text(f"times of {text}")
    entry = ChapterEntry("Title", f"{stem}{suffix}", len(text), 2.6, digest(text), how)
    ChapterJournal.read(folder).record(stem, entry)


def state(folder: Path, stem: str, text: str, how=HOW) -> ChapterState:
    return ChapterJournal.read(folder).state(stem, digest(text), how)


def test_a_chapter_is_whole_if_its_files_are_there_and_were_made_of_the_same(tmp_path):
    put(tmp_path, "01 A", "one")
    assert state(tmp_path, "01 A", "one") == ChapterState.whole
    assert state(tmp_path, "01 A", "two") == ChapterState.other_text
    assert state(tmp_path, "01 A", "one", {**HOW, "rate": 2.0}) == ChapterState.other_options
    assert state(tmp_path, "02 A", "one") == ChapterState.missing
    (tmp_path / "01 A.mp3").write_text("o")
    assert state(tmp_path, "01 A", "one") == ChapterState.missing
    put(tmp_path, "01 A", "one")
    (tmp_path / "01 A.json").unlink()
    assert state(tmp_path, "01 A", "one") == ChapterState.missing


def test_what_is_being_written_is_not_whole(tmp_path):
    put(tmp_path, "01 A", "one")
    ChapterJournal.read(tmp_path).forget("01 A", "01 A.wav")
    assert state(tmp_path, "01 A", "one") == ChapterState.missing
    assert not (tmp_path / "01 A.mp3").exists()


def test_chapters_that_change_places_are_renamed(tmp_path):
    put(tmp_path, "01 A", "one")
    put(tmp_path, "02 B", "second")
    put(tmp_path, "03 C", "the third")
    wanted = [("01 New", "new"), ("02 B", "the third"), ("03 C", "second"), ("04 A", "one")]
    journal = ChapterJournal.read(tmp_path)
    moves = journal.rename([(stem, digest(text)) for stem, text in wanted], HOW)
    assert sorted(moves) == [("01 A", "04 A"), ("02 B", "03 C"), ("03 C", "02 B")]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "02 B.json", "02 B.mp3", "03 C.json", "03 C.mp3", "04 A.json", "04 A.mp3", JOURNAL,
    ]  # fmt: skip
    for stem, text in wanted[1:]:
        assert state(tmp_path, stem, text) == ChapterState.whole
        assert (tmp_path / f"{stem}.mp3").read_text() == text
        assert (tmp_path / f"{stem}.json").read_text() == f"times of {text}"
    assert journal.rename([(stem, digest(text)) for stem, text in wanted], HOW) == []


def test_the_same_text_twice_is_there_twice(tmp_path):
    put(tmp_path, "01 A", "one")
    wanted = [("01 B", digest("one")), ("02 B", digest("one"))]
    assert ChapterJournal.read(tmp_path).rename(wanted, HOW) == [("01 A", "01 B")]


def test_only_files_of_the_journal_are_removed(tmp_path):
    put(tmp_path, "01 A", "one")
    put(tmp_path, "02 B", "two")
    (tmp_path / "cover.jpg").write_text("x")
    assert ChapterJournal.read(tmp_path).keep_only(["01 A"]) == ["02 B"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01 A.json", "01 A.mp3", JOURNAL, "cover.jpg"]


def test_the_playlist_has_the_whole_chapters_in_order(tmp_path):
    put(tmp_path, "02 B", "two")
    put(tmp_path, "01 A", "one")
    path = ChapterJournal.read(tmp_path).write_playlist("book", ["01 A", "02 B", "03 C"])
    assert path.read_text() == "#EXTM3U\n#EXTINF:3,Title\n01 A.mp3\n#EXTINF:3,Title\n02 B.mp3\n"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "5", '{"format": 2, "chapters": {}}', '{"format": 1, "chapters": {"01 A": {"x": 1}}}',
     '{"format": 1, "chapters": [1]}', "[" * 100_000],
)  # fmt: skip
def test_a_journal_that_cannot_be_understood_knows_nothing(tmp_path, content):
    (tmp_path / JOURNAL).write_text(content)
    assert ChapterJournal.read(tmp_path).keep_only([]) == []


def test_a_journal_names_no_file_outside_of_its_folder(tmp_path):
    book, other = tmp_path / "book", tmp_path / "01 A.mp3"
    book.mkdir()
    other.write_text("one")
    put(book, "01 A", "one")
    content = json.loads((book / JOURNAL).read_text())
    rows = content["chapters"]
    rows["../01 A"] = {**rows["01 A"], "audio": "../01 A.mp3"}
    rows["01 A"]["audio"] = "../01 A.mp3"
    (book / JOURNAL).write_text(json.dumps(content))
    assert ChapterJournal.read(book).keep_only([]) == []
    assert other.exists()


@pytest.mark.parametrize(
    ("number", "count", "title", "stem"),
    [
        (3, 12, "The Sea", "03 The Sea"),
        (3, 120, 'A/B: "C"?\n*', "003 A B C"),
        (1, 1, "../..", "01"),
        (1, 2, "x" * 200, f"01 {'x' * 60}"),
        (1, 2, "Über den Fluß.", "01 Über den Fluß"),
    ],
)
def test_names_that_any_system_takes(number, count, title, stem):
    assert file_stem(number, count, title) == stem
