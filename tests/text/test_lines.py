"""A line ends at a line feed, and at nothing else that Python takes for an end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.bias.phrases import Phrase, read_phrases
from speech.errors import FileError
from speech.text import lines
from speech.text.lines import byte_lines, lines_of, read_lines

CONTENT = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r"
"""What `str.splitlines` ends a line at, or files that are opened as text."""
without_ends = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])).filter(
    lambda line: not line.endswith("\r")
)


@given(st.lists(without_ends), st.sampled_from(["\n", "\r\n"]))
def test_what_was_joined_comes_apart_again(given_lines, end):
    assert lines_of("".join(line + end for line in given_lines)) == given_lines


@pytest.mark.parametrize("character", CONTENT, ids=ascii)
def test_no_other_character_ends_a_line(tmp_path, character):
    path = tmp_path / "a.txt"
    path.write_bytes(f"one{character}two\r\nthree\n\nfour".encode())
    assert read_lines(path) == [f"one{character}two", "three", "", "four"]
    assert [line.decode() for line in byte_lines(path)] == [f"one{character}two\r\n", "three\n", "\n", "four"]


def test_a_mark_at_the_beginning_is_no_part_of_the_first_line(tmp_path):
    (tmp_path / "names.txt").write_bytes("\ufeffAda\u2028Lovelace\nnew york^2\n".encode())
    assert read_lines(tmp_path / "names.txt")[0] == "Ada\u2028Lovelace"
    assert read_phrases([f"@{tmp_path / 'names.txt'}"]) == (Phrase("Ada\u2028Lovelace"), Phrase("new york", 2.0))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a\nb\xe9\n", r"a\.txt:2: is not UTF-8: byte 1 of the line is 0xe9\. Save it as UTF-8"),
        ("u1 a\n".encode("utf-16"), r"a\.txt:1: is not UTF-8: byte 0 of the line is 0xff"),
        ("a\n".encode("utf-16-be"), r"a\.txt:1: is no text: it has a zero byte"),
        (b"short\n" + b"x" * 64, r"a\.txt:2: has more than \d+ MiB\. Write each record on a line of its own"),
    ],
)
def test_what_is_no_text_is_named_with_its_line(tmp_path, monkeypatch, content, fault):
    monkeypatch.setattr(lines, "LONGEST", 50)
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(FileError, match=fault):
        read_lines(tmp_path / "a.txt")


def test_what_the_system_refuses_is_one_line(tmp_path):
    with pytest.raises(FileError, match=r"nowhere: cannot be read: no such file or directory$"):
        read_lines(tmp_path / "nowhere")
    with pytest.raises(FileError, match=r"cannot be read: is a directory$"):
        read_lines(tmp_path)
