"""What is done is not done again, unless the file or the settings are others."""

import pytest

from speech.batch.ledger import Ledger, Status, hash_file, identify
from speech.errors import DataError, FileError


@pytest.fixture
def files(tmp_path):
    found = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav")]
    for file in found:
        file.write_bytes(file.name.encode())
    return [str(file) for file in found]


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "deep" / "run.sqlite")
    yield ledger
    ledger.close()


def finish(ledger, tmp_path, path):
    result = tmp_path / "result.txt"
    result.write_text("said")
    ledger.done(path, result, 1.5)
    return result


def test_what_is_done_is_left_out_until_something_changes(ledger, tmp_path, files):
    a, b, c = files
    assert ledger.plan(files, "one") == files
    result = finish(ledger, tmp_path, a)
    ledger.failed(b, "is not audio")
    assert ledger.plan(files, "one") == [c]
    assert ledger.plan(files, "one", retry=True) == [b, c]
    assert ledger.plan(files, "other settings") == files
    finish(ledger, tmp_path, a)
    assert ledger.plan([a], "other settings") == []
    (tmp_path / "a.wav").write_bytes(b"longer than before")
    assert ledger.plan([a], "other settings") == [a]
    finish(ledger, tmp_path, a)
    result.unlink()
    assert ledger.plan([a], "other settings") == [a]


def test_the_same_content_under_a_new_time_is_still_done(ledger, tmp_path, files):
    ledger.plan(files[:1], "one")
    finish(ledger, tmp_path, files[0])
    (tmp_path / "a.wav").write_bytes(b"a.wav")
    assert ledger.plan(files[:1], "one") == []


def test_a_file_that_kills_two_workers_is_quarantined(ledger, files):
    ledger.plan(files, "one")
    assert not ledger.crashed(files[0], 2)
    assert ledger.plan(files, "one") == files  # the crash is remembered by the next run
    assert ledger.crashed(files[0], 2)
    (entry, *_) = ledger.entries()
    assert (entry.status, entry.crashes, entry.error) == (Status.quarantined, 2, "killed its worker 2 times")
    assert ledger.plan(files, "one") == files[1:]
    assert ledger.plan(files, "one", retry=True) == files
    assert not ledger.crashed(files[0], 2)


def test_a_missing_file_is_planned_so_that_reading_it_says_so(ledger, tmp_path):
    assert ledger.plan([str(tmp_path / "none.wav")], "one") == [str(tmp_path / "none.wav")]


def test_another_process_sees_what_was_written(ledger, tmp_path, files):
    ledger.plan(files, "one")
    finish(ledger, tmp_path, files[0])
    again = Ledger(ledger.path)  # without closing the first, as if it had been killed
    assert [entry.status for entry in again.entries()] == [Status.done, Status.waiting, Status.waiting]
    assert [entry.audio_s for entry in again.entries()] == [1.5, None, None]
    again.close()


def test_a_plan_that_is_broken_off_leaves_no_trace(ledger, files, monkeypatch):
    found = ledger._content

    def interrupted(path, before):
        if path == files[2]:
            raise KeyboardInterrupt
        return found(path, before)

    monkeypatch.setattr(ledger, "_content", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.plan(files, "one")
    monkeypatch.undo()
    assert list(ledger.entries()) == []
    assert ledger.plan(files, "one") == files


def test_something_else_at_its_place_is_refused(tmp_path):
    (tmp_path / "run.sqlite").write_text("a text that is long enough to be no database" * 50)
    with pytest.raises(DataError, match="is no ledger"):
        Ledger(tmp_path / "run.sqlite")


def test_a_model_is_identified_by_what_it_holds(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "README.md").write_text("not part of it")
    first = identify(tmp_path, "options")
    (tmp_path / "README.md").write_text("changed")
    assert identify(tmp_path, "options") == first
    assert identify(tmp_path, "others") != first
    (tmp_path / "model.safetensors").write_bytes(b"other")
    assert identify(tmp_path, "options") != first
    second = identify(tmp_path, "options")
    (tmp_path / "label").mkdir()
    (tmp_path / "label" / "decoder.safetensors").write_bytes(b"1")
    assert identify(tmp_path, "options") != second
    assert hash_file(tmp_path / "model.safetensors").startswith("d9298a10")


@pytest.mark.parametrize("name", ["caf\udce9.wav", "half \ud800 of a pair.wav", "caf\u00e9.wav"], ids=ascii)
def test_any_name_is_kept_as_it_is(ledger, tmp_path, name):
    path = f"{tmp_path}/{name}"
    assert ledger.plan([path], "one") == [path]
    assert not ledger.crashed(path, 2)
    ledger.done(path, tmp_path / "caf\udce9.txt", 1.0)
    (entry,) = ledger.entries()
    assert (entry.path, entry.crashes, entry.result) == (path, 1, f"{tmp_path}/caf\udce9.txt")
    ledger.failed(path, f"{path}: is not audio")
    (entry,) = ledger.entries()
    assert (entry.path, entry.status) == (path, Status.failed)
    assert entry.error.endswith(".wav: is not audio")


def test_a_full_disk_is_called_so_and_leaves_the_plan_as_it_was(ledger, tmp_path):
    before = [f"file {n}" for n in range(3)]
    ledger.plan(before, "one")
    ledger._execute("PRAGMA cache_size = 2")
    ledger._execute("PRAGMA max_page_count = 4")
    with pytest.raises(FileError, match=r"run\.sqlite: cannot be written: no space left on device$"):
        ledger.plan([f"file {n} {'x' * 500}" for n in range(1000)], "one")
    assert [entry.path for entry in ledger.entries()] == before


def test_a_place_that_cannot_be_written_is_named_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match=r"file: cannot be written: not a directory"):
        Ledger(tmp_path / "file" / "run.sqlite")
    (tmp_path / "run.sqlite").mkdir()
    with pytest.raises(FileError, match=r"run\.sqlite: cannot be written: it cannot be opened"):
        Ledger(tmp_path / "run.sqlite")


def test_another_run_that_writes_it_is_named(ledger, tmp_path, files):
    again = Ledger(ledger.path)
    again._execute("PRAGMA busy_timeout = 1")
    ledger._execute("BEGIN IMMEDIATE")
    with pytest.raises(FileError, match="another run is writing it"):
        again.plan(files, "one")
    ledger._execute("ROLLBACK")
    assert again.plan(files, "one") == files
    again.close()
