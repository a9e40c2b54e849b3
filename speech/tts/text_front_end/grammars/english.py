"""English."""

from __future__ import annotations

import re
from types import MappingProxyType

from speech.tts.text_front_end.grammar import ALONE, Around, FixedWords, Grammar
from speech.tts.text_front_end.number_words import in_words
from speech.tts.text_front_end.quantity import Quantity

_WORDS = FixedWords(
    minus="minus", point="point", to="to", ratio="to", per="per", percent="percent",
    symbols=MappingProxyType({
        ".": "dot", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark", "#": "number",
        "%": "percent", "@": "at", "&": "and", "+": "plus", "=": "equals", "~": "tilde", "×": "times",
        "÷": "divided by",
        "±": "plus or minus", "°": "degrees", "§": "section", "<": "less than", ">": "greater than", "*": "star",
        "‰": "per mille", "#a": "hashtag", "²": "squared", "³": "cubed",
    }),
    scales=MappingProxyType({
        "thousand": ("thousand", "thousand"), "million": ("million", "million"), "billion": ("billion", "billion"),
        "trillion": ("trillion", "trillion"), "mn": ("million", "million"), "bn": ("billion", "billion"),
        "k": ("thousand", "thousand"),
        "m": ("million", "million"), "M": ("million", "million"), "B": ("billion", "billion"),
    }),
    cents=MappingProxyType({"": ("cent", "cents"), "GBP": ("penny", "pence"), "MXN": ("centavo", "centavos"),
                            "BRL": ("centavo", "centavos"), "INR": ("paisa", "paise"), "CHF": ("centime", "centimes")}),
    currencies=MappingProxyType({"$": ("dollar", "dollars"), "£": ("pound", "pounds"), "¥": ("yen", "yen"),
                                 "R$": ("real", "reais"), "₹": ("rupee", "rupees")}),
    titles=MappingProxyType({
        "Mr": "Mister", "Mrs": "Missis", "Ms": "Miz", "Dr": "Doctor",
        "Mr.": "Mister", "Mrs.": "Missis", "Ms.": "Miz", "Dr.": "Doctor", "Prof.": "Professor", "Rev.": "Reverend",
        "Gen.": "General", "Sen.": "Senator", "Gov.": "Governor", "Capt.": "Captain", "Lt.": "Lieutenant",
        "Col.": "Colonel", "Sgt.": "Sergeant", "St.": "Saint", "Mt.": "Mount", "Ft.": "Fort", "Pres.": "President",
    }),
    abbreviations=MappingProxyType({
        "E.g.": "For example", "I.e.": "That is", "Approx.": "Approximately",
        "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "approx.": "approximately",
        "Jr.": "Junior", "Sr.": "Senior", "Inc.": "Incorporated", "Ltd.": "Limited", "Corp.": "Corporation",
        "Co.": "Company", "Ave.": "Avenue", "Blvd.": "Boulevard", "Rd.": "Road", "St.": "Street", "dept.": "department",
        "Dept.": "Department", "a.m.": "AM", "p.m.": "PM", "et al.": "and others", "cf.": "compare", "ca.": "circa",
    }),
    before_numbers=MappingProxyType({"No.": "number", "no.": "number", "Nos.": "numbers", "p.": "page", "pp.": "pages",
                                     "Vol.": "volume", "vol.": "volume", "Fig.": "figure", "fig.": "figure",
                                     "ch.": "chapter", "Ch.": "chapter", "c.": "circa"}),
    final=frozenset({"etc.", "a.m.", "p.m.", "Jr.", "Sr.", "Inc.", "Ltd.", "Corp.", "Co.", "et al.", "St.", "Ave.",
                     "Blvd.", "Rd."}),
    not_nouns=frozenset("and or of in to the a is are was were for on at by with from that as but than so".split()),
)  # fmt: skip
_PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_COUNTED = frozenset("people men women children feet miles".split())


class English(Grammar):
    """English with American dates."""

    language = "eng"
    words = _WORDS
    ordinal_suffixes = r"(st|nd|rd|th)\b"
    decades = r"(\d0|1\d\d0|20\d0)'?s\b"
    fraction_as_number = False
    cents_link = " and "
    regnal = frozenset(
        "henry louis charles george elizabeth william edward richard james philip pius paul benedict francis frederick "
        "napoleon catherine peter nicholas alexander ivan leo gregory innocent wilhelm mary john clement urban haakon "
        "gustav christian ramses xerxes darius ptolemy mehmed murad selim suleiman cleopatra".split()
    )

    def cardinal(self, number: int, around: Around = ALONE) -> str:
        return in_words(number, self.language).replace(",", "")

    def ordinal(self, number: int, suffix: str = "", around: Around = ALONE) -> str:
        return in_words(number, self.language, "ordinal").replace(",", "")

    def year(self, number: int) -> str:
        if not 1000 < number < 10_000 or number % 1000 == 0:
            return self.cardinal(number)
        return in_words(number, self.language, "year").replace(",", "").replace("oh-", "oh ")

    def plain(self, quantity: Quantity, around: Around) -> str:
        """A year from 1100 to 2099, unless something plural follows."""
        whole = quantity.whole
        year = (
            quantity.is_whole
            and not (quantity.negative or quantity.grouped)
            and len(whole) == 4
            and 1100 <= int(whole) < 2100
        )
        noun = around.after
        counts = self.is_noun(noun) and noun.islower() and (noun in _COUNTED or re.search("[^s]s$", noun) is not None)
        return self.year(int(whole)) if year and not counts else self.number(quantity, around)

    def decade(self, number: int) -> str:
        """The nineties, from 90 or 1990."""
        return re.sub(r"ys$", "ies", f"{self.year(number)}s").replace("hundredies", "hundreds")

    def date(self, day: int, month: int, year: int | None, around: Around = ALONE, *, day_first: bool = True) -> str:
        name, ordinal = self.cldr.month(month), self.ordinal(day)
        if day_first:
            article = "" if around.last == "the" else "the "
            spoken = f"{article}{ordinal} of {name}"
        else:
            spoken = f"{name} {ordinal}"
        return spoken if year is None else f"{spoken}, {self.year(year)}"

    def time(self, hour: int, minute: int, half: str = "") -> str:
        behind = f" {half.upper()}" if half else ""
        if not minute:
            if half:
                return self.cardinal(hour) + behind
            exact = "o'clock" if hour <= 12 else "hundred"
            return "midnight" if not hour else f"{self.cardinal(hour)} {exact}"
        minutes = f"oh {self.cardinal(minute)}" if minute < 10 else self.cardinal(minute)
        return f"{self.cardinal(hour)} {minutes}{behind}"

    def fraction(self, numerator: int, denominator: int) -> str:
        ordinal = self.ordinal(denominator)
        one, many = _PARTS.get(denominator, (ordinal, f"{ordinal}s"))
        return f"{self.cardinal(numerator)} {one if numerator == 1 else many}"

    def mixed(self, whole: int, numerator: int, denominator: int) -> str:
        part = self.fraction(numerator, denominator)
        if numerator == 1:
            part = ("an " if denominator in (8, 11, 18, 80) else "a ") + part.removeprefix("one ")
        return f"{self.cardinal(whole)} and {part}"

    def regnal_number(self, name: str, number: int) -> str:
        return f"the {self.ordinal(number)}"
