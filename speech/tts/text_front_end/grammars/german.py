"""German."""

from __future__ import annotations

import re
from types import MappingProxyType

from speech.tts.text_front_end.grammar import ALONE, Around, FixedWords, Grammar
from speech.tts.text_front_end.number_words import in_words
from speech.tts.text_front_end.quantity import Quantity

_WORDS = FixedWords(
    minus="minus", point="Komma", to="bis", ratio="zu", per="pro", percent="Prozent",
    symbols=MappingProxyType({
        ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich", ":": "Doppelpunkt",
        "?": "Fragezeichen", "#": "Nummer", "%": "Prozent", "@": "ät", "&": "und", "+": "plus", "=": "gleich",
        "~": "Tilde", "×": "mal", "÷": "geteilt durch", "±": "plus minus", "°": "Grad", "§": "Paragraf",
        "<": "kleiner als", ">": "größer als", "*": "Sternchen", "‰": "Promille", "#a": "Hashtag", "²": "hoch zwei",
        "³": "hoch drei",
    }),
    scales=MappingProxyType({"Million": ("Million", "Millionen"), "Millionen": ("Million", "Millionen"),
                             "Mio.": ("Million", "Millionen"), "Mio": ("Million", "Millionen"),
                             "Milliarde": ("Milliarde", "Milliarden"), "Milliarden": ("Milliarde", "Milliarden"),
                             "Mrd.": ("Milliarde", "Milliarden"), "Mrd": ("Milliarde", "Milliarden"),
                             "Billionen": ("Billion", "Billionen"), "Tausend": ("tausend", "tausend")}),
    cents=MappingProxyType({"": ("Cent", "Cent"), "GBP": ("Penny", "Pence"), "CHF": ("Rappen", "Rappen")}),
    currencies=MappingProxyType({"$": ("Dollar", "Dollar"), "£": ("Pfund", "Pfund"), "¥": ("Yen", "Yen"),
                                 "R$": ("Real", "Real"), "₹": ("Rupie", "Rupien")}),
    titles=MappingProxyType({
        "Dr.": "Doktor", "Prof.": "Professor", "Hr.": "Herr", "Fr.": "Frau", "Frl.": "Fräulein", "Dipl.": "Diplom",
        "Ing.": "Ingenieur", "St.": "Sankt", "Hl.": "Heiliger", "Gen.": "General", "Bf.": "Bahnhof",
    }),
    abbreviations=MappingProxyType({
        "Ca.": "Circa", "Z. B.": "Zum Beispiel", "Z.B.": "Zum Beispiel", "D. h.": "Das heißt", "D.h.": "Das heißt",
        "Vgl.": "Vergleiche", "U. a.": "Unter anderem",
        "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
        "u. a.": "unter anderem", "u.a.": "unter anderem", "usw.": "und so weiter", "u. s. w.": "und so weiter",
        "etc.": "et cetera", "bzw.": "beziehungsweise", "ca.": "circa", "ggf.": "gegebenenfalls", "vgl.": "vergleiche",
        "z. T.": "zum Teil", "z.T.": "zum Teil", "v. a.": "vor allem", "v.a.": "vor allem", "sog.": "sogenannte",
        "evtl.": "eventuell", "inkl.": "inklusive", "exkl.": "exklusive", "bspw.": "beispielsweise",
        "i. d. R.": "in der Regel", "i.d.R.": "in der Regel", "Tel.": "Telefon", "n. Chr.": "nach Christus",
        "v. Chr.": "vor Christus", "Str.": "Straße", "str.": "straße", "o. ä.": "oder ähnliches", "max.": "maximal",
        "min.": "minimal", "zzgl.": "zuzüglich", "geb.": "geboren", "gest.": "gestorben",
        "Abt.": "Abteilung", "Jh.": "Jahrhundert",
    }),
    before_numbers=MappingProxyType({"Nr.": "Nummer", "S.": "Seite", "Art.": "Artikel", "Abs.": "Absatz",
                                     "Bd.": "Band", "Kap.": "Kapitel", "Abb.": "Abbildung",
                                     "Ziff.": "Ziffer"}),
    endings=MappingProxyType({"str.": "straße", "pl.": "platz"}),
    final=frozenset({"usw.", "Jh.", "u. s. w.", "etc.", "n. Chr.", "v. Chr.", "o. ä."}),
    not_nouns=frozenset(),
)  # fmt: skip
_FEMININE = re.compile(
    r".+(?:e|ung|heit|keit|schaft|ion|tät|ur|ik|ei|enz|anz|stunde|frau|stadt|nacht|zeit)|"
    r"Frau|Stadt|Zeit|Nacht|Person|Zahl|Hand|Mutter|Tochter|Schwester|Oma|Tür|Wand|Bank|Kuh|Maus|Uni|Firma|Lira|Insel|"
    r"Nummer|Million|Art|Antwort|Aufgabe|Mark|Kraft|Macht|Karte|Gabel|Feder"
)
_NOT_FEMININE = re.compile(r"Name|Junge|Kunde|Ende|Auge|Käse|Gebäude|Interesse|Kollege|Gedanke|Buchstabe|Löwe|Affe|"
                           r"Hase|Zeuge|Experte|Abitur|Erbe|Ereignis|Ei|Gebirge|Getränk|Gemüse")  # fmt: skip
_WEAK = frozenset("am im zum zur vom beim dem den des einem einen eines dieser diesem diesen jedem jeden seit ab "
                  "bis nach "
                  "vor seinem ihrem meinem unserem seiner ihrer meiner ins".split())  # fmt: skip
_PREPOSITIONS = frozenset("in an auf aus bei mit nach seit von zu unter über vor hinter neben zwischen während".split())
_NAMES_AFTER = frozenset("der die das".split())


class German(Grammar):
    """German."""

    language = "deu"
    words = _WORDS
    ordinal_suffixes = r"(te[nrsm]?|ste[nrsm]?)\b"
    decades = r"(\d\d|1\d\d0|20\d0)er[ns]?\b"
    fraction_as_number = False
    cents_link = " "
    names_cents = False
    regnal = frozenset(
        "ludwig karl heinrich georg elisabeth wilhelm eduard richard jakob philipp pius paul benedikt franz friedrich "
        "napoleon katharina peter nikolaus alexander iwan leo gregor innozenz otto konrad maximilian joseph ferdinand "
        "rudolf leopold albrecht gustav christian johannes ramses xerxes clemens urban".split()
    )

    def is_noun(self, word: str) -> bool:
        return len(word) > 1 and word[0].isupper() and word[1:].islower()

    def cardinal(self, number: int, around: Around = ALONE) -> str:
        spoken = in_words(number, self.language)
        head = self._head(around.after)
        if not head:
            return spoken
        if number == 1:
            return "eine" if _FEMININE.fullmatch(head) and not _NOT_FEMININE.fullmatch(head) else "ein"
        return spoken

    def _head(self, phrase: str) -> str:
        """The noun of a phrase that agrees with the number: Kilometer of "Kilometer pro Stunde"."""
        words = phrase.partition(" pro ")[0].split()
        return words[-1].rpartition("-")[2] if words and phrase[0].isupper() else ""

    def plain(self, quantity: Quantity, around: Around) -> str:
        """A year from 1100 to 1999, unless something countable follows."""
        whole = quantity.whole
        year = (
            quantity.is_whole
            and not (quantity.negative or quantity.grouped)
            and len(whole) == 4
            and 1100 <= int(whole) < 2000
        )
        return self.year(int(whole)) if year else self.number(quantity, around)

    def year(self, number: int) -> str:
        if not 1100 <= number < 2000:
            return self.cardinal(number)
        hundreds, rest = divmod(number, 100)
        return f"{in_words(hundreds, self.language)}hundert{in_words(rest, self.language) if rest else ''}"

    def decade(self, number: int) -> str:
        """The first part of "1990er", "90er"."""
        return f"{self.year(number)}er"

    def ordinal(self, number: int, suffix: str = "", around: Around = ALONE) -> str:
        spoken = in_words(number, self.language, "ordinal")
        if suffix and suffix[-1] in "nrsm":
            return spoken + suffix[-1]
        last, _, first = around.before.lower().rpartition(" ")[::-1]
        if last in _WEAK or (last in _NAMES_AFTER and first.rpartition(" ")[2] in _PREPOSITIONS):
            return f"{spoken}n"
        return spoken if last in _NAMES_AFTER else f"{spoken}r"

    def date(self, day: int, month: int, year: int | None, around: Around = ALONE, *, day_first: bool = True) -> str:
        spoken = f"{self.ordinal(day, '', around)} {self.cldr.month(month)}"
        return spoken if year is None else f"{spoken} {self.year(year)}"

    def time(self, hour: int, minute: int, half: str = "") -> str:
        behind = {"am": " morgens", "pm": " abends" if 6 <= hour < 12 else " nachmittags"}.get(half, "")
        spoken = "ein" if hour == 1 else self.cardinal(hour)
        return f"{spoken} Uhr{f' {self.cardinal(minute)}' if minute else ''}{behind}"

    def percentage(self, quantity: Quantity) -> str:
        return f"{self.number(quantity, Around(after=self.words.percent))} {self.words.percent}"

    def fraction(self, numerator: int, denominator: int) -> str:
        if denominator == 2:
            return "ein halb" if numerator == 1 else f"{self.cardinal(numerator)} halbe"
        name = f"{in_words(denominator, self.language, 'ordinal')}l"
        return f"{'ein' if numerator == 1 else self.cardinal(numerator)} {name[0].upper()}{name[1:]}"

    def mixed(self, whole: int, numerator: int, denominator: int) -> str:
        if denominator == 2 and numerator == 1:
            return "eineinhalb" if whole == 1 else f"{self.cardinal(whole)}einhalb"
        part = self.fraction(numerator, denominator)
        return f"{self.cardinal(whole)} {part}"

    def regnal_number(self, name: str, number: int) -> str:
        feminine = name.lower() in ("elisabeth", "katharina")
        ordinal = in_words(number, self.language, "ordinal")
        return f"{'die' if feminine else 'der'} {ordinal[0].upper()}{ordinal[1:]}"

    def century(self, number: int, around: Around) -> str | None:
        if around.after.rstrip("s") not in ("Jahrhundert", "Jh.", "Jahrtausend"):
            return None
        spoken = self.ordinal(number, "", around)
        return f"{spoken[:-1]}s" if spoken.endswith("r") else spoken
