"""Symbols become numbers, and those that a model does not know are reported."""

import pytest

from speech.errors import ModelError
from speech.text.symbol_table import SymbolTable


def test_unknown_characters_are_left_out_and_reported():
    table = SymbolTable({"a": 3, "ˈ": 1, " ": 7})
    assert table.encode("ˈa ʔa!") == ([1, 3, 7, 3], ["ʔ", "!"])
    assert table.encode("") == ([], [])


@pytest.mark.parametrize("numbers", [{"ab": 1}, {"": 1}, {"a": 0}, {"a": "1"}, {"a": True}, {"a": -2}])
def test_a_symbol_is_one_character_with_a_number(numbers):
    with pytest.raises(ModelError, match="expected one character and a number from 1"):
        SymbolTable(numbers)
