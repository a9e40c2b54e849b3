"""Chapters of a written text, found by its headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_MARKED = re.compile(r"(?m)^ {0,3}(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*$")
"""A heading of Markdown: its marks, its title."""
_MARKS = re.compile(r"(?m)^ {0,3}#{1,6}(?=[ \t]+\S)")
_ROMAN = r"(?=[MDCLXVI])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_WORD = r"(?:chapter|kapitel|cap[ií]tulo|chapitre|capitolo)"
_BEHIND = r"[ \t]*(?:[.:–—-][ \t]*.{0,80})?"
_ANY = r"[^\W\d_]+"
_NUMBER = rf"(?:\d{{1,4}}|{_ROMAN}|{_ANY}(?:[- ]{_ANY})?)"
_NUMBERED = re.compile(
    rf"(?:{_WORD}[ \t]+{_NUMBER}|(?:\d{{1,4}}\.|{_ANY})[ \t]+kapitel){_BEHIND}",
    re.IGNORECASE,
)
"""A line such as "Chapter 3", "CHAPITRE IV. La fuite" or "Erstes Kapitel"."""
_BARE = re.compile(rf"{_ROMAN}\.?")


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a text with its heading."""

    title: str
    text: str
    """What is said: the headings without their marks, each a paragraph of its own, and what follows."""


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    """First character of its line."""
    end: int
    """One behind the last one, without the line feed."""
    title: str


def chapters(text: str, name: str) -> list[Chapter]:
    """Cut a text at its headings.

    Headings are those of Markdown, down to the first level that occurs twice; in a text without any, lines that name a
    chapter in English, German, Spanish, Portuguese, French or Italian, with a blank line before them; else roman
    numerals on lines of their own between blank lines. A heading that nothing but another one follows begins the same
    chapter as that one.

    Args:
        name: title of what comes before the first heading.

    Returns:
        One chapter or more, none of them blank; none of a blank text.
    """
    text = text.replace("\r\n", "\n")
    headings = _headings_of_markdown(text) or _lines(text, _NUMBERED, alone=False) or _lines(text, _BARE, alone=True)
    found: list[Chapter] = []
    before = text[: headings[0].start] if headings else text
    if before.strip():
        found.append(Chapter(name, _plain(before)))
    said = ""
    ends = [*(heading.start for heading in headings[1:]), len(text)]
    for heading, end in zip(headings, ends[: len(headings)], strict=True):
        body = _plain(text[heading.end : end])
        said += f"{heading.title}\n\n"
        if body or heading is headings[-1]:
            found.append(Chapter(heading.title, said + body))
            said = ""
    return found


def without_marks(text: str) -> str:
    """A text of Markdown in which spaces stand for the marks of headings, so that all places stay the same."""
    return _MARKS.sub(lambda found: " " * len(found[0]), text)


def _plain(text: str) -> str:
    """A body, in which headings of Markdown are paragraphs."""
    return re.sub(r"\n{3,}", "\n\n", _MARKED.sub(lambda found: f"\n\n{found[2]}\n\n", text)).strip()


def _headings_of_markdown(text: str) -> list[_Heading]:
    found = [(len(one[1]), _Heading(one.start(), one.end(), one[2])) for one in _MARKED.finditer(text)]
    counts = Counter(level for level, _ in found)
    repeated = [level for level, count in counts.items() if count > 1]
    deepest = min(repeated or counts, default=0)
    return [heading for level, heading in found if level <= deepest]


def _lines(text: str, pattern: re.Pattern[str], *, alone: bool) -> list[_Heading]:
    """Lines that match whole, with a blank line or nothing before them.

    Args:
        alone: whether a blank line has to follow, too, and there have to be two such lines.
    """
    lines = list(_numbered(text))
    found = []
    for number, (start, line) in enumerate(lines):
        title = line.strip()
        first = number == 0 or not lines[number - 1][1].strip()
        last = number + 1 == len(lines) or not lines[number + 1][1].strip()
        if first and (last or not alone) and pattern.fullmatch(title):
            found.append(_Heading(start, start + len(line), title.rstrip(". \t")))
    return found if len(found) > 1 or not alone else []


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its place."""
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1
