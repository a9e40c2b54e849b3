"""Spanish."""

from __future__ import annotations

import re
from types import MappingProxyType

from speech.tts.text_front_end.grammar import ALONE, Around, FixedWords, Grammar
from speech.tts.text_front_end.number_words import in_words

_WORDS = FixedWords(
    minus="menos", point="coma", to="a", ratio="a", per="por", percent="por ciento",
    symbols=MappingProxyType({
        ".": "punto", "/": "barra", "-": "guion", "_": "guion bajo", ":": "dos puntos", "?": "interrogación",
        "#": "número", "%": "por ciento", "@": "arroba", "&": "y", "+": "más", "=": "igual a", "~": "virgulilla",
        "×": "por", "÷": "entre", "±": "más menos", "°": "grados", "§": "sección", "<": "menor que", ">": "mayor que",
        "*": "asterisco", "‰": "por mil", "#a": "almohadilla", "²": "al cuadrado", "³": "al cubo",
    }),
    scales=MappingProxyType({"millón": ("millón", "millones"), "millones": ("millón", "millones"),
                             "mil": ("mil", "mil"), "billones": ("billón", "billones"),
                             "billón": ("billón", "billones"), "mill.": ("millón", "millones"),
                             "M": ("millón", "millones"), "mil millones": ("mil millones", "mil millones")}),
    cents=MappingProxyType({"": ("centavo", "centavos"), "EUR": ("céntimo", "céntimos"),
                            "GBP": ("penique", "peniques"), "CHF": ("céntimo", "céntimos"),
                            "INR": ("paisa", "paisas")}),
    currencies=MappingProxyType({"$": ("dólar", "dólares"), "£": ("libra", "libras"), "¥": ("yen", "yenes"),
                                 "R$": ("real", "reales"), "₹": ("rupia", "rupias")}),
    titles=MappingProxyType({
        "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Sres.": "señores", "Dr.": "doctor", "Dra.": "doctora",
        "D.": "don", "Dña.": "doña", "Prof.": "profesor", "Profa.": "profesora", "Ing.": "ingeniero",
        "Lic.": "licenciado", "Gral.": "general", "Sto.": "santo", "Sta.": "santa", "Avda.": "avenida",
        "Av.": "avenida", "Fr.": "fray",
    }),
    abbreviations=MappingProxyType({
        "P. ej.": "Por ejemplo",
        "p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "etc.": "etcétera", "Ud.": "usted", "Uds.": "ustedes",
        "Vd.": "usted", "Vds.": "ustedes", "EE. UU.": "Estados Unidos", "EE.UU.": "Estados Unidos",
        "a. C.": "antes de Cristo", "d. C.": "después de Cristo", "a.C.": "antes de Cristo",
        "d.C.": "después de Cristo", "aprox.": "aproximadamente", "tel.": "teléfono", "Tel.": "teléfono",
        "Cía.": "compañía", "dpto.": "departamento", "a. m.": "de la mañana", "p. m.": "de la tarde",
    }),
    before_numbers=MappingProxyType({"núm.": "número", "n.º": "número", "Nº": "número", "nº": "número", "N.º": "número",
                                     "pág.": "página", "s.": "siglo", "págs.": "páginas", "cap.": "capítulo",
                                     "vol.": "volumen",
                                     "art.": "artículo", "p.": "página", "fig.": "figura"}),
    final=frozenset({"etc.", "a. C.", "d. C.", "a. m.", "p. m."}),
    not_nouns=frozenset("y o e u de del a al en por para con sin que se es son era fue más menos como si no ni pero "
                        "sobre entre hasta desde según ya la las los el lo ha han hay cuando donde está están".split()),
)  # fmt: skip
_MASCULINE = re.compile(
    r"(?:día|problema|programa|tema|sistema|mapa|planeta|idioma|clima|poema|drama|esquema|síntoma|diploma|artista|"
    r"turista|periodista|futbolista|kilograma|cometa|poeta|atleta|colega|guardia|policía)s?",
)
_FEMININE = re.compile(
    r".+as?|.+(?:ción|ciones|sión|siones|dad|dades|tad|tades|tud|tudes|umbre|umbres)|"
    r"(?:vez|veces|noche|tarde|clase|mujer|mano|flor|parte|calle|llave|nave|serie|sede|ley|red|luz|voz|imagen|torre|"
    r"fuente|gente|muerte|base|frase)(?:e?s)?"
)
_TENS = ("", "décim", "vigésim", "trigésim", "cuadragésim", "quincuagésim", "sexagésim", "septuagésim", "octogésim",
         "nonagésim")  # fmt: skip
_UNITS = ("", "primer", "segund", "tercer", "cuart", "quint", "sext", "séptim", "octav", "noven")
_PARTS = {2: ("medio", "medios"), 3: ("tercio", "tercios")}


class Spanish(Grammar):
    """Spanish with dates, decimals and groups of digits as in Spain."""

    language = "spa"
    words = _WORDS
    year_link = " de "
    ordinal_suffixes = r"((?:\.?(?:ᵉʳ|er)\b)|\.?[ºª]|\.[oa]\b|(?:ra|ro|da|do|ta|to)\b)"
    spaced_groups = True
    after_million = "de"
    cents_link = " con "
    regnal = frozenset(
        "alfonso carlos felipe fernando isabel luis enrique juan pablo pío benedicto francisco napoleón pedro nicolás "
        "alejandro león gregorio inocencio guillermo jorge eduardo ricardo jaime catalina sancho ramiro clemente "
        "urbano amadeo federico ramsés".split()
    )

    def cardinal(self, number: int, around: Around = ALONE) -> str:
        spoken = re.sub(r"veintiuno(?= (?:mil|millon))", "veintiún", in_words(number, self.language))
        spoken = re.sub(r"\buno(?= (?:mil|millon))", "un", spoken)
        noun = around.after if self.is_noun(around.after) else ""
        if self._feminine(noun.lower()) if noun else around.last in ("la", "las"):
            large, found, small = spoken.rpartition("millones" if "millones" in spoken else "millón")
            small = re.sub(r"cientos\b", "cientas", small).replace("quinientos", "quinientas")
            return large + found + re.sub(r"uno$", "una", small)
        if noun:
            return re.sub(r"\buno$", "un", re.sub(r"veintiuno$", "veintiún", spoken))
        return spoken

    def _feminine(self, noun: str) -> bool:
        head = noun.split(" ")[0]
        return _FEMININE.fullmatch(head) is not None and _MASCULINE.fullmatch(head) is None

    def ordinal(self, number: int, suffix: str = "", around: Around = ALONE) -> str:
        if not 0 < number < 100:
            return self.cardinal(number, around)
        feminine = suffix.strip(".") in ("ª", "a", "ra", "da", "ta")
        end = "a" if feminine else "o"
        shortened = suffix.strip(".") in ("er", "ᵉʳ") or (not feminine and self.is_noun(around.after))
        if shortened and number % 10 in (1, 3) and number != 11:
            end = ""
        tens, units = divmod(number, 10)
        if number == 11:
            return f"undécim{end}"
        if number == 12:
            return f"duodécim{end}"
        if tens == 1 and units:
            return f"decimo{_UNITS[units]}{end}".replace("decimooctav", "decimoctav")
        spoken = " ".join(f"{stem}{'a' if feminine else 'o'}" for stem in (_TENS[tens], _UNITS[units]) if stem)
        return spoken[:-1] if not end else spoken

    def date(self, day: int, month: int, year: int | None, around: Around = ALONE, *, day_first: bool = True) -> str:
        spoken = f"{self.cardinal(day)} de {self.cldr.month(month)}"
        return spoken if year is None else f"{spoken} de {self.year(year)}"

    def time(self, hour: int, minute: int, half: str = "") -> str:
        behind = ""
        if half == "am":
            behind = " de la mañana"
        elif half == "pm":
            behind = " de la noche" if 8 <= hour < 12 else " de la tarde"
        spoken = self.cardinal(hour, Around(after="horas"))
        if not minute:
            return spoken + (behind or (" hora" if hour == 1 else " horas"))
        minutes = f"cero {self.cardinal(minute)}" if minute < 10 else self.cardinal(minute)
        return f"{spoken} {minutes}{behind}"

    def fraction(self, numerator: int, denominator: int) -> str:
        if denominator in _PARTS:
            one, many = _PARTS[denominator]
        elif denominator <= 10:
            one = self.ordinal(denominator)
            many = f"{one}s"
        else:
            stem = "centésimo" if denominator == 100 else f"{self.cardinal(denominator).replace(' y ', 'i')}avo"
            one, many = stem, f"{stem}s"
        return f"{self.cardinal(numerator, Around(after=one))} {one if numerator == 1 else many}"

    def regnal_number(self, name: str, number: int) -> str:
        feminine = "ª" if name.lower() in ("isabel", "catalina") else "º"
        return self.ordinal(number, feminine) if number <= 10 else self.cardinal(number)

    def century(self, number: int, around: Around) -> str | None:
        if around.last not in ("siglo", "siglos", "s."):
            return None
        return self.ordinal(number) if number < 10 else self.cardinal(number)
