"""What rules share: patterns of one grammar, words around a match, stretches that are taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from speech.tts.text_front_end.grammar import Around, Grammar
from speech.tts.text_front_end.quantity import Quantity, number_pattern, parse
from speech.tts.text_front_end.spoken_form import Claim

NOT_INSIDE = r"(?<![\w])(?<!\d[.,:/])"
"""Before a number: no letter or digit, and no digit with a separator."""
MINUS = r"(?:(?<![^\s(\[])[-−–](?=\d))?"
SPACE = "[ \u00a0\u2009\u202f]?"
_WORD = r"[^\W\d_]+['’]?[ \u00a0\u202f]+|[^\W\d_]+['’]"
_BEFORE = re.compile(rf"(?:{_WORD}){{0,2}}(?:{_WORD}|\b(?:[a-zé]{{1,4}}|Vol|Ch|Kap|Bd|Cap|Art)\.[ \u00a0\u202f]+)\Z")
_AFTER = re.compile(r"[ \u00a0\u202f]([^\W\d_]+)(?![\w]|\. ?[\d])")
_REACH = 60


@dataclass(frozen=True)
class Language:
    """A grammar with the patterns that follow from its signs; made once for each grammar."""

    grammar: Grammar
    patterns: dict[str, re.Pattern[str]] = field(default_factory=dict)

    @cached_property
    def number(self) -> str:
        """Regular expression of an unsigned number."""
        return number_pattern(self.grammar.cldr.decimal, self.grammar.spaced_groups)

    def pattern(self, name: str, make: Callable[[], str]) -> re.Pattern[str]:
        """A compiled pattern, made at its first use."""
        if name not in self.patterns:
            self.patterns[name] = re.compile(make())
        return self.patterns[name]

    def quantity(self, written: str) -> Quantity:
        """A number that `number` has found."""
        return parse(written, self.grammar.cldr.decimal)


class Scan:
    """A text and the claims on it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._claims: list[Claim] = []
        self._taken = bytearray(len(text))

    @property
    def claims(self) -> list[Claim]:
        """All claims in order."""
        return sorted(self._claims, key=lambda claim: claim.start)

    def found(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches of a pattern that touch no claim; claims made meanwhile count."""
        position = 0
        while match := pattern.search(self.text, position):
            start, end = match.span()
            taken = self._taken.find(1, start, end)
            if start == end or taken >= 0:
                position = max(start, taken) + 1
                continue
            yield match
            position = end

    def claim(self, start: int, end: int, spoken: str) -> None:
        """Take a stretch of the text."""
        self._claims.append(Claim(start, end, spoken))
        self._taken[start:end] = b"\1" * (end - start)

    def is_claimed(self, position: int) -> bool:
        """Whether a character belongs to a claim."""
        return 0 <= position < len(self._taken) and self._taken[position] == 1

    def around(self, start: int, end: int) -> Around:
        """The words beside a stretch."""
        before = _BEFORE.search(self.text[max(0, start - _REACH) : start])
        after = _AFTER.match(self.text, end)
        return Around(" ".join(before[0].replace("’", "'").split()) if before else "", after[1] if after else "")
