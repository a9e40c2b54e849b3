"""JSON of any formatting, and what is wrong with it in one line."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.data.json_records import JsonText, as_seconds, json_object, shown
from speech.errors import DataError
from speech.text.lines import lines_of

DEEP = "[" * 100_000
records = st.lists(
    st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text())),
    max_size=4,
)


@given(records, st.sampled_from([None, 0, 1, "\t"]), st.booleans())
def test_lists_are_read_however_they_are_laid_out(given_records, indent, escaped):
    text = json.dumps(given_records, indent=indent, ensure_ascii=escaped)
    lines = ["u1 before", *lines_of(f"  {text} \n"), "u2 behind"]
    found, behind = JsonText(lines, "a.json").objects(1)
    assert [record for _, record in found] == given_records
    assert behind == len(lines) - 1
    for number, _ in found:
        assert indent is None or lines[number - 1].lstrip().startswith("{")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1', r"a:2: not a JSON object: Expecting ',' delimiter at character 8$"),
        ('[{"a": 1}\n {"b": 2}]', r"a:3: not a JSON object: Expecting ',' delimiter at character 2, in what begins"),
        ('[{"a": 1},\n 7]', r"a:3: is a JSON int, expected an object"),
        ('{"a": 1} {"b": 2}', r"a:2: not a JSON object: Extra data at character 9"),
        ('{"a": "b\nc"}', r"a:2: not a JSON object: Invalid control character at at character 9"),
        ('{"a": ' + DEEP, r"a:2: not a JSON object: it is nested too deep$"),
        ('[{"a": 1},\n{"a": ' + DEEP, r"a:3: not a JSON object: it is nested too deep$"),
        ('{"a": ' + "9" * 5000 + "}", r"a:2: not a JSON object: it has a number of too many digits$"),
        ('{"a": ["\\ud800"]}', r"a:2: has half of a surrogate pair, which is no character$"),
        ('{"\\uDFFF": 1}', r"a:2: has half of a surrogate pair"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_json_is_named_in_one_line(text, fault):
    with pytest.raises(DataError, match=fault) as error:
        JsonText(["", *text.split("\n")], "a").objects(1)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"[1]", "a: is a JSON list, expected an object"), (b'{"a": ' + DEEP.encode(), "nested too deep"),
        (b'{"a": "\xff"}', "a: is not UTF-8: byte 7 of the line is 0xff"), (b'{"a": "\\ud83d"}', "surrogate"),
        ('{"a": 1}'.encode("utf-16-le"), "a: not a JSON object"), (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_line_that_is_no_object_is_refused(line, fault):
    with pytest.raises(DataError, match=fault):
        json_object(line, "a")


def test_a_pair_of_surrogates_is_a_character_and_depth_within_bounds_is_read():
    assert json_object(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00"}', "a") == {"a": "\U0001f600"}
    deep = "[" * 900 + '"\\ud83d\\ude00"' + "]" * 900
    assert json_object(f'{{"a": {deep}}}'.encode(), "a")["a"]


def test_numbers_become_seconds_and_values_fit_a_line():
    assert as_seconds(3) == 3.0
    assert as_seconds(10**400) == math.inf
    assert as_seconds(True) is True
    assert as_seconds("3") == "3"
    nested: list[object] = []
    for _ in range(10_000):
        nested = [nested]
    assert len(shown(nested)) < 100
    assert len(shown("x" * 10_000)) < 100
    assert shown(7) == "7"
