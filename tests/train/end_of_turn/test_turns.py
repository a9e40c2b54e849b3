"""Files of turns: what is written is read, and what is none is named with its line."""

import json

import pytest

from speech.errors import DataError
from speech.train.end_of_turn.turns import WrittenTurn, read_turns, write_turns

TURN = WrittenTurn("1", "deu", "Ich möchte\u2028…", False, "here")


def test_what_is_written_is_read(tmp_path):
    turns = [TURN, TURN._replace(id="2", finished=True)]
    write_turns(tmp_path / "a.jsonl", turns)
    assert read_turns(tmp_path / "a.jsonl") == turns


@pytest.mark.parametrize(
    "other",
    [{"finished": 1}, {"text": " "}, {"language": "klingon"}, {"source": ...}, {"finished": ...}],
)
def test_what_is_no_turn_is_named_with_its_line(tmp_path, other):
    record = {name: value for name, value in (TURN._asdict() | other).items() if value is not ...}
    (tmp_path / "a.jsonl").write_text(json.dumps(TURN._asdict()) + "\n" + json.dumps(record) + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: it is no turn"):
        read_turns(tmp_path / "a.jsonl")


def test_a_missing_and_an_empty_file_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no such file.*recognised_turns\.py"):
        read_turns(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(DataError, match="it has no line"):
        read_turns(tmp_path / "a.jsonl")
