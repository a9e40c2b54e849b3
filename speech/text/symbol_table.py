"""Symbols of phonetic writing, one character each, and the numbers by which a model knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from speech.errors import ModelError


class SymbolIds(NamedTuple):
    """A text as numbers."""

    ids: list[int]
    unknown: list[str]
    """Characters that have no number, in the order of the text; they are left out."""


@dataclass(frozen=True, slots=True)
class SymbolTable:
    """Character -> number.

    Raises:
        ModelError: naming a symbol that is not one character, or whose number is not positive.
    """

    numbers: Mapping[str, int]

    def __post_init__(self) -> None:
        for symbol, number in self.numbers.items():
            if len(symbol) != 1 or type(number) is not int or number < 1:
                raise ModelError(f"symbol {symbol!r} has number {number!r}, expected one character and a number from 1")

    def encode(self, text: str) -> SymbolIds:
        """The numbers of a text's characters, and the characters without one."""
        ids = [self.numbers[symbol] for symbol in text if symbol in self.numbers]
        return SymbolIds(ids, [symbol for symbol in text if symbol not in self.numbers])
