"""The record of a run: whole lines, finite numbers, and an error for what the system refuses."""

import json
import math

import pytest

from speech.errors import FileError
from speech.train.loop.callbacks import append_line, finite, read_metrics


@pytest.mark.parametrize(
    ("value", "expected"), [(0.1234567, 0.12346), (-3.0, -3.0), (math.nan, None), (math.inf, None), (-math.inf, None)]
)
def test_a_number_is_kept_to_five_places_and_none_where_it_is_none(value, expected):
    assert finite(value) == expected


def test_lines_are_added_and_those_that_are_cut_or_of_something_else_are_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": 1, "train/final": 0.5}, {"step": 2, "train/final": None}]
    for row in rows:
        append_line(path, json.dumps(row))
    with path.open("ab") as file:
        file.write(b'[1]\n{"loss": 3}\n\xff\xfe\n{"step": 3, "train/fi')
    assert read_metrics(path) == rows


def test_what_the_system_refuses_is_said_with_the_path(tmp_path):
    with pytest.raises(FileError, match=r"none/metrics\.jsonl: cannot be written: no such file or directory"):
        append_line(tmp_path / "none" / "metrics.jsonl", "{}")
