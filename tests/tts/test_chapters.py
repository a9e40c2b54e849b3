"""Chapters of a text: which headings count, in which languages, and what is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.tts.chapters import Chapter, chapters, without_marks


def titles(text: str) -> list[str]:
    return [chapter.title for chapter in chapters(text, "book")]


def test_headings_of_markdown_cut_at_the_first_level_that_occurs_twice():
    text = "# A Book\n\nBy me.\n\n## One #\nIt is.\n\n### Within\nIt goes on.\n## Two\n\nThe end.\n"
    assert chapters(text, "book") == [
        Chapter("A Book", "A Book\n\nBy me."),
        Chapter("One", "One\n\nIt is.\n\nWithin\n\nIt goes on."),
        Chapter("Two", "Two\n\nThe end."),
    ]


def test_a_heading_right_before_another_one_begins_the_same_chapter():
    text = "# Book\n## Part One\n## First\nHello.\n## Second\nBye."
    assert chapters(text, "book") == [
        Chapter("First", "Book\n\nPart One\n\nFirst\n\nHello."),
        Chapter("Second", "Second\n\nBye."),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Chapter 3", "CHAPTER IV.", "Chapter One", "Chapter Twenty-one: The Sea", "Kapitel 12", "Erstes Kapitel",
        "3. Kapitel", "Capítulo 1. La casa", "CAPITULO II", "Chapitre premier", "CHAPITRE X — La fuite", "Capitolo 4",
        "Capítulo décimo",
    ],
)  # fmt: skip
def test_lines_that_name_a_chapter(line):
    text = f"Preface.\n\n{line}\nIt was.\n\n  {line}\n\nIt is."
    assert titles(text) == ["book", line.rstrip("."), line.rstrip(".")]
    assert chapters(text, "book")[1].text == f"{line.rstrip('.')}\n\nIt was."


@pytest.mark.parametrize(
    "line",
    [
        "Chapter and verse were read to him by the whole town.",
        "The chapter 3",
        "Chapters 3",
        "Chapter",
        "#3",
        "Kapitel.",
    ],
)
def test_other_lines_do_not(line):
    assert titles(f"It was.\n\n{line}\n\nIt is.") == ["book"]


def test_a_line_within_a_paragraph_names_no_chapter():
    assert titles("See also\nChapter 3\nand others.\n\nChapter 4\nIt was.") == ["book", "Chapter 4"]


def test_roman_numerals_count_only_by_themselves_and_between_blank_lines():
    assert titles("I\n\nIt was.\n\nII.\n\nIt is.\n\nXIV\n\nEnd.") == ["I", "II", "XIV"]
    assert titles("It was\nI\nwho said.\n\nIIII\n\nEnd.") == ["book"]
    assert titles("It was.\n\nI\n\nwas there.") == ["book"]
    assert titles("Chapter 1\n\nI\n\nA.\n\nII\n\nB.\n\nChapter 2\n\nC.") == ["Chapter 1", "Chapter 2"]


def test_a_text_without_headings_is_one_chapter_and_a_blank_one_none():
    assert chapters("It was.\n", "book") == [Chapter("book", "It was.")]
    assert chapters(" \n\n", "book") == []


@given(st.lists(st.sampled_from(["# A", "## B", "Chapter 2", "IV", "", "word", "Some more words."]), max_size=12))
def test_each_word_of_the_text_is_in_one_chapter_in_order(lines):
    text = "\n".join(lines)
    found = chapters(text, "book")
    said = " ".join(chapter.text for chapter in found)
    assert said.replace("#", "").split() == text.replace("#", "").split()
    assert all(chapter.title and chapter.text.strip() for chapter in found)


def test_line_ends_of_windows_are_line_ends():
    assert titles("# A\r\n\r\nIt was.\r\n\r\n# B\r\nIt is.\r\n") == ["A", "B"]


def test_marks_of_headings_become_spaces():
    assert without_marks("# A #5\n ## B\n#no\n#\n") == "  A #5\n    B\n#no\n#\n"
