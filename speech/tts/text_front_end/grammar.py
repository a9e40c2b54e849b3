"""How a language says numbers, dates, times and money. Each language refines it in `grammars`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

from speech.text.languages import resolve
from speech.tts.text_front_end.cldr import Cldr
from speech.tts.text_front_end.number_words import MOST_DIGITS, in_words
from speech.tts.text_front_end.quantity import Quantity

NO_COUNT = frozenset({"JPY", "KRW"})
"""Currencies without a hundredth."""


@dataclass(frozen=True, slots=True)
class Around:
    """The words beside a number, as written; empty where there is none."""

    before: str = ""
    """Words before it, at most three, separated by spaces."""
    after: str = ""
    """The word right behind it."""

    @property
    def last(self) -> str:
        """The word right before it, in lower case."""
        return self.before.rpartition(" ")[2].lower()


ALONE = Around()
"""Beside a number without neighbours."""


@dataclass(frozen=True, slots=True)
class FixedWords:
    """Words of a language that CLDR and num2words do not have."""

    minus: str
    point: str
    """Of decimal numbers."""
    to: str
    """Between the ends of a range: "ten to fifteen"."""
    ratio: str
    """Between the numbers of a ratio or score: "two to one"."""
    per: str
    """Behind a price or unit: "euros per month"."""
    percent: str
    symbols: Mapping[str, str]
    """Words for symbols, in addresses and alone."""
    scales: Mapping[str, tuple[str, str]]
    """Singular and plural of large numbers by what stands behind the digits: "Mio." -> Million, Millionen."""
    cents: Mapping[str, tuple[str, str]]
    """Singular and plural of hundredths by currency; "" for all others."""
    currencies: Mapping[str, tuple[str, str]]
    """Singular and plural of currencies by their symbols, where people leave the country out."""
    titles: Mapping[str, str]
    """Abbreviations before names: they never end a sentence."""
    abbreviations: Mapping[str, str]
    """All others, with full stops."""
    before_numbers: Mapping[str, str] = field(default_factory=dict)
    """Abbreviations that stand before digits only, such as "No." and "p."."""
    endings: Mapping[str, str] = field(default_factory=dict)
    """Abbreviated ends of compounds: Hauptstr."""
    final: frozenset[str] = frozenset()
    """Abbreviations whose full stop ends a sentence too, if a capital letter follows: etc., p.m."""
    not_nouns: frozenset[str] = frozenset()
    """Frequent words behind a number that are not counted by it, in lower case."""


class Grammar(ABC):
    """How one language says what is written in digits. All numbers are at least 0 unless they are a `Quantity`."""

    language: ClassVar[str]
    """ISO 639-3."""
    words: ClassVar[FixedWords]
    ordinal_suffixes: ClassVar[str]
    """Regular expression of what makes digits an ordinal number, in one group."""
    decades: ClassVar[str] = ""
    """Regular expression of a decade, with its digits as a group: 1990s."""
    fraction_as_number: ClassVar[bool] = True
    """Whether 3.14 is said as "three point fourteen"."""
    spaced_groups: ClassVar[bool] = False
    """Whether a plain space separates groups of three digits."""
    year_link: ClassVar[str] = " "
    """Between month and year: "julio de 2024"."""
    after_million: ClassVar[str] = ""
    """Between millions and what is counted: "dos millones de euros"."""
    cents_link: ClassVar[str]
    """Between euros and cents."""
    names_cents: ClassVar[bool] = True
    """Whether the word for cents is said after them."""
    regnal: ClassVar[frozenset[str]] = frozenset()
    """Names of rulers and popes that Roman numerals follow, in lower case."""

    def __init__(self) -> None:
        self.cldr = Cldr(resolve(self.language).alpha2)

    def cardinal(self, number: int, around: Around = ALONE) -> str:
        """A whole number, in agreement with the noun behind it where the language has that."""
        return in_words(number, self.language)

    def digits(self, digits: str) -> str:
        """Digits one by one, in words."""
        return " ".join(in_words(int(digit), self.language) for digit in digits)

    def number(self, quantity: Quantity, around: Around = ALONE) -> str:
        """A whole or decimal number with its sign."""
        sign = f"{self.words.minus} " if quantity.negative else ""
        if quantity.is_whole:
            if len(quantity.whole) > MOST_DIGITS or (len(quantity.whole) > 1 and quantity.whole[0] == "0"):
                return sign + self.digits(quantity.whole)
            return sign + self.cardinal(int(quantity.whole), around)
        whole = self.number(Quantity(quantity.whole))
        return f"{sign}{whole} {self.words.point} {self._fraction(quantity.fraction)}"

    def _fraction(self, digits: str) -> str:
        as_number = self.fraction_as_number and len(digits) <= 3 and digits[0] != "0"
        return in_words(int(digits), self.language) if as_number else self.digits(digits)

    def year(self, number: int) -> str:
        """A year of our era."""
        return self.cardinal(number)

    def plain(self, quantity: Quantity, around: Around) -> str:
        """A number that nothing but its neighbours explains; it may be a year."""
        return self.number(quantity, around)

    def decade(self, number: int) -> str:
        """The years from 1990 to 1999, of 1990 or 90."""
        return self.year(number)

    def ordinal(self, number: int, suffix: str = "", around: Around = ALONE) -> str:
        """An ordinal number; `suffix` is what was written behind the digits."""
        return in_words(number, self.language, "ordinal")

    @abstractmethod
    def date(self, day: int, month: int, year: int | None, around: Around = ALONE, *, day_first: bool = True) -> str:
        """A day; `day_first` as it was written."""

    def month_and_year(self, month: int, year: int) -> str:
        """A month of a year."""
        return f"{self.cldr.month(month)}{self.year_link}{self.year(year)}"

    @abstractmethod
    def time(self, hour: int, minute: int, half: str = "") -> str:
        """A time of day; `half` is "am", "pm" or, for 24 hours, ""."""

    def seconds(self, number: int) -> str:
        """What follows a time with seconds."""
        return f"{self.words.symbols['&']} {self.counted(Quantity(str(number)), 'duration-second')}"

    @abstractmethod
    def fraction(self, numerator: int, denominator: int) -> str:
        """A proper fraction, such as 3/4."""

    def mixed(self, whole: int, numerator: int, denominator: int) -> str:
        """A whole number and a fraction, such as 1½."""
        return f"{self.cardinal(whole)} {self.words.symbols['&']} {self.fraction(numerator, denominator)}"

    def regnal_number(self, name: str, number: int) -> str:
        """The Roman numeral behind the name of a ruler."""
        return self.cardinal(number)

    def century(self, number: int, around: Around) -> str | None:
        """A Roman numeral beside the word for century; None if there is no such word."""
        return None

    def counted(self, quantity: Quantity, unit: str) -> str:
        """A number of units, by the unit's CLDR name."""
        return self._with_noun(quantity, self.cldr.unit(unit, abs(quantity.value)))

    def percentage(self, quantity: Quantity) -> str:
        """A number with a percent sign."""
        return f"{self.number(quantity)} {self.words.percent}"

    def money(self, quantity: Quantity, code: str, scale: str = "", symbol: str = "") -> str:
        """An amount of money.

        Args:
            code: ISO 4217.
            scale: a word such as "million" behind the number, a key of `words.scales`.
            symbol: the symbol if one was written instead of the code.
        """
        if scale:
            return f"{self.scaled(quantity, scale)} {self.linked(self.currency(code, Decimal(1_000_000), symbol))}"
        if len(quantity.fraction) != 2 or code in NO_COUNT:
            return self._with_noun(quantity, self.currency(code, abs(quantity.value), symbol))
        whole, cents = int(quantity.whole), int(quantity.fraction)
        if not cents:
            name = self.currency(code, Decimal(whole), symbol)
            return self._with_noun(Quantity(quantity.whole, "", quantity.negative), name)
        one, many = self.words.cents.get(code, self.words.cents[""])
        named = f"{self.cardinal(cents, Around(after=one))} {one if cents == 1 else many}"
        sign = f"{self.words.minus} " if quantity.negative else ""
        if not whole:
            return sign + named
        amount = self._with_noun(Quantity(quantity.whole), self.currency(code, Decimal(whole), symbol))
        return f"{sign}{amount}{self.cents_link}{named if self.names_cents else self.cardinal(cents)}"

    def currency(self, code: str, count: Decimal, symbol: str = "") -> str:
        """Name of a currency for a number of it."""
        if symbol in self.words.currencies:
            names = self.words.currencies[symbol]
            return names[self.cldr.currency(code, count) != self.cldr.currency(code, Decimal(1))]
        return self.cldr.currency(code, count)

    def scaled(self, quantity: Quantity, scale: str, around: Around = ALONE) -> str:
        """A number of thousands or millions; in front of "mil" it agrees with the noun behind."""
        one, many = self.words.scales[scale]
        noun = one if quantity.value == 1 else many
        agrees = noun == "mil" and self.is_noun(around.after)
        return f"{self.number(quantity, around if agrees else Around(after=noun))} {noun}"

    def linked(self, noun: str) -> str:
        """A noun behind millions."""
        return f"{self.after_million} {noun}" if self.after_million else noun

    def _with_noun(self, quantity: Quantity, noun: str) -> str:
        number = self.number(quantity, Around(after=noun))
        millions = int(quantity.whole) >= 1_000_000 and int(quantity.whole) % 1_000_000 == 0
        joined = self.linked(noun) if millions and quantity.is_whole else noun
        return f"{number}{'' if number.endswith(chr(39)) else ' '}{joined}"

    def is_noun(self, word: str) -> bool:
        """Whether a word behind a number can be what is counted."""
        return bool(re.match(r"[^\W\d_]{2}", word)) and word.lower() not in self.words.not_nouns
