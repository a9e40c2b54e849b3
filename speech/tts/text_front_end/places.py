"""Places in a text, as errors name them."""

from __future__ import annotations


def place(text: str, position: int, first_line: int = 1, first_column: int = 1) -> str:
    """Line and column of a character, both from 1: "line 3, column 5".

    Args:
        first_line: line of the first character of `text`.
        first_column: its column.
    """
    lines = text.count("\n", 0, position)
    column = position - text.rfind("\n", 0, position) if lines else first_column + position
    return f"line {first_line + lines}, column {column}"
