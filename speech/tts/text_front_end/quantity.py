"""Numbers as they are written: grouped digits, decimals, signs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_SPACES = "\u00a0\u2009\u202f"
_APOSTROPHES = "'’"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A written number."""

    whole: str
    """Digits before the decimal sign, "0" to "9" only."""
    fraction: str = ""
    """Digits behind it."""
    negative: bool = False
    grouped: bool = False
    """Whether the digits before the decimal sign are written in groups; a year is not."""

    @property
    def value(self) -> Decimal:
        """The number."""
        digits = Decimal(f"{self.whole}.{self.fraction}" if self.fraction else self.whole)
        return -digits if self.negative else digits

    @property
    def is_whole(self) -> bool:
        """Whether there is no decimal sign."""
        return not self.fraction


def number_pattern(decimal: str, spaced: bool) -> str:
    """Regular expression of an unsigned number, without groups.

    Groups of three digits may be separated by the other one of "." and ",", by narrow spaces and by apostrophes. The
    other decimal sign is understood where it cannot separate groups, as in "1,5" in English.

    Args:
        decimal: decimal sign of the language, "." or ",".
        spaced: whether plain spaces separate groups too.
    """
    grouping = "." if decimal == "," else ","
    separators = f"{re.escape(grouping)}{_SPACES}{_APOSTROPHES}{' ' if spaced else ''}"
    sign, other = re.escape(decimal), re.escape(grouping)
    grouped = rf"\d{{1,3}}(?:[{separators}]\d{{3}}(?!\d))+"
    ends = rf"(?![{sign}{other}]?\d)"
    return rf"(?:{grouped}|\d+)(?:{sign}\d+{ends}|{other}(?:\d{{1,2}}|\d{{4,}}){ends})?"


def parse(written: str, decimal: str) -> Quantity:
    """Read what `number_pattern` has found, with or without a minus sign before it."""
    negative = written[0] in "-−–"
    digits = written.lstrip("-−–").strip()
    grouping = "." if decimal == "," else ","
    whole, _, fraction = digits.partition(decimal)
    if not fraction:
        head, _, tail = digits.rpartition(grouping)
        if head and len(tail) != 3:
            whole, fraction = head, tail
    return Quantity(ascii_digits(whole), ascii_digits(fraction), negative, not whole.isdecimal())


def ascii_digits(written: str) -> str:
    """The digits of a written number, of whatever script, as "0" to "9"."""
    return "".join(str(int(character)) for character in written if character.isdecimal())
