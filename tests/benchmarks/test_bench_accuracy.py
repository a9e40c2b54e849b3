from pathlib import Path

import pytest
from accuracy import (
    OURS,
    OURS_FREE,
    PEER,
    Row,
    from_file,
    hear,
    identified,
    line,
    rates,
    read_rows,
    speeds,
    total,
    weakest,
    word_errors,
)
from loops import read_texts
from peer import CODES, Said, iso
from rich.console import Console
from timing import Spent

from speech.data.manifest import Utterance

QUIET = Console(quiet=True)


def row(name: str, language: str, text: str, said: dict[str, str]) -> Row:
    clip = Utterance(id=name, audio=Path(name), duration_s=4.0, language=language, text=text)
    return Row(clip, {system: Said(own, language, Spent(1.0, 0.5)) for system, own in said.items()})


@pytest.fixture
def rows() -> list[Row]:
    return [
        row("a", "eng", "one two three four", {OURS: "One, two three four.", PEER: "one two"}),
        row("b", "eng", "five", {OURS: "six", PEER: "five"}),
        row("c", "gla", "a b c", {OURS: "a"}),
    ]


def test_errors_of_all_clips_are_divided_by_all_their_words(rows):
    assert total(rows, OURS, word_errors).rate == 3 / 8
    assert total(rows, PEER, word_errors).rate == 2 / 5


def test_where_the_peer_has_not_heard_all_both_are_compared_over_what_both_heard(rows):
    for one in rows:
        one.said[OURS_FREE] = one.said[OURS]
    found = rates(QUIET, "", rows, word_errors)
    assert found["heard by both"] == {"clips": 2, "units": 5, OURS: 0.2, OURS_FREE: 0.2, PEER: 0.4}
    assert found["all"] == {"clips": 3, "units": 8, OURS: 0.375, OURS_FREE: 0.375}
    assert PEER not in found["gla"]


def test_speed_is_told_over_the_clips_that_all_systems_heard(rows):
    found = speeds(QUIET, rows)
    assert found["under 8 s"]["clips"] == 2
    assert found["under 8 s"][OURS] == {"wall": 0.25, "cpu": 0.125}
    assert "8 s and more" not in found


def test_languages_are_identified_over_the_clips_of_more_than_two_seconds(rows):
    for one in rows:
        one.said[OURS_FREE] = Said("", "gla", Spent())
    assert identified(QUIET, rows)["over 2 s, all, ours, free"] == {"share": 0.3333, "clips": 3}


def test_a_language_of_few_words_is_not_named_as_worse(rows):
    assert weakest(QUIET, rows) == []


def test_a_record_of_the_peer_is_read_with_and_without_free_language():
    given = {"id": "a", "lang": "eng", "text": "one", "seconds": 2.0}
    assert list(from_file(given)) == [PEER]
    free = {"free": "two", "free_language": "deu", "free_seconds": 3.0}
    assert from_file(given | free)["peer, free"].language == "deu"
    assert from_file({}) == {}


def test_texts_that_are_written_are_read_for_loops(tmp_path, rows):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(map(line, rows[:2])), "utf-8")
    clips, said = read_texts(path, [one.clip for one in rows])
    assert [clip.id for clip in clips] == ["a", "b"]
    assert said[PEER] == {"a": "one two", "b": "five"}


def test_codes_of_the_peer_go_both_ways():
    assert all(iso(code) == known for known, code in CODES.items())
    assert iso("xx") == "xx"


def test_clips_of_an_earlier_run_are_not_heard_again(tmp_path, rows):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(map(line, rows)), "utf-8")
    clips = [one.clip for one in rows]
    assert read_rows(path, clips) == rows
    assert hear(None, None, clips, path) == rows
