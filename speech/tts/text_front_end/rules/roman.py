"""Roman numerals where nothing else can be meant: behind names of rulers, beside "century", behind chapters."""

from __future__ import annotations

import re

from speech.tts.text_front_end.scanning import Language, Scan

_NUMERAL = re.compile(
    r"(?<![\w.'’-])(?=[IVX])(X{0,3}(?:IX|IV|V?I{0,3}))(?:(er|re|e|ème|º|ª)|(\.)(?= (?:Jahr|Jh)))?(?!['’](?!s\b)|[\w-])"
)
_VALUES = {"I": 1, "V": 5, "X": 10}
_PARTS = frozenset(
    "chapter part volume book section article act scene world war phase type class grade capítulo parte volumen libro "
    "sección artículo acto guerra mundial tomo fase tipo chapitre partie livre tome volume acte article mondiale "
    "capitolo "
    "libro atto articolo mondiale tipo seção artigo ato título livro kapitel teil band akt artikel weltkrieg abschnitt "
    "fase klasse typ".split()
)
_PRONOUN = re.compile(
    r" (?:am|have|had|think|know|knew|will|would|can|could|do|did|saw|love|met|want|said|told|need)\b"
)
_LEAST = 2
"""Letters of a numeral outside the names of rulers and centuries: I, V and X are words and letters too."""


def roman_numerals(scan: Scan, language: Language) -> None:
    """Claim Roman numerals from 1 to 39."""
    grammar = language.grammar
    for found in scan.found(_NUMERAL):
        number, suffix = value_of(found[1]), found[2] or ""
        if suffix.isalpha() and (grammar.language != "fra" or (number > 1 and suffix in ("er", "re"))):
            continue  # Ve, Ver: words
        around = scan.around(*found.span())
        name = around.before.rpartition(" ")[2]
        century = grammar.century(number, around)
        if century is not None:
            scan.claim(*found.span(), century)
        elif name.lower() in grammar.regnal and _alone(found, scan.text):
            stop = (
                grammar.language == "deu"
                and scan.text[found.end() :].startswith(".")
                and _inside(scan.text, found.end())
            )
            scan.claim(found.start(), found.end() + stop, grammar.regnal_number(name, number))
        elif suffix:
            scan.claim(*found.span(), grammar.ordinal(number, suffix, around))
        elif len(found[1]) >= _LEAST and name and (name[0].isupper() or name.endswith(".") or name.lower() in _PARTS):
            scan.claim(*found.span(), grammar.cardinal(number))


def value_of(numeral: str) -> int:
    """The number of a Roman numeral of I, V and X."""
    values = [_VALUES[letter] for letter in numeral]
    return sum(-one if one < following else one for one, following in zip(values, [*values[1:], 0], strict=True))


def _alone(found: re.Match[str], text: str) -> bool:
    """Whether a single I is a numeral and not the English pronoun, from the word behind it."""
    return found[1] != "I" or _PRONOUN.match(text, found.end()) is None


def _inside(text: str, position: int) -> bool:
    """Whether a full stop at a position is not the end of the sentence: a word in lower case or a comma follows."""
    return re.match(r"\.(?:,| [a-zäöü])", text[position:]) is not None
