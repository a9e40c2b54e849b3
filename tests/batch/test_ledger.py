"""What is done is not done again, unless the file or the settings are others."""

import pytest

from speech.batch.ledger import Ledger, Status, hash_file, identify
from speech.errors import DataError


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
    assert hash_file(tmp_path / "model.safetensors").startswith("d9298a10")
