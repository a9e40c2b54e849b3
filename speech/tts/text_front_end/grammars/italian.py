"""Italian."""

from __future__ import annotations

import re
from types import MappingProxyType

from speech.tts.text_front_end.grammar import ALONE, Around, FixedWords, Grammar
from speech.tts.text_front_end.number_words import in_words

_WORDS = FixedWords(
    minus="meno", point="virgola", to="a", ratio="a", per="a", percent="per cento",
    symbols=MappingProxyType({
        ".": "punto", "/": "barra", "-": "trattino", "_": "trattino basso", ":": "due punti",
        "?": "punto interrogativo", "#": "numero", "%": "per cento", "@": "chiocciola", "&": "e", "+": "più",
        "=": "uguale", "~": "tilde", "×": "per", "÷": "diviso", "±": "più o meno", "°": "gradi", "§": "paragrafo",
        "<": "minore di", ">": "maggiore di", "*": "asterisco", "‰": "per mille", "#a": "cancelletto",
        "²": "al quadrato", "³": "al cubo",
    }),
    scales=MappingProxyType({"milione": ("milione", "milioni"), "milioni": ("milione", "milioni"),
                             "miliardo": ("miliardo", "miliardi"), "miliardi": ("miliardo", "miliardi"),
                             "mila": ("mila", "mila"), "mln": ("milione", "milioni"), "mld": ("miliardo", "miliardi"),
                             "M": ("milione", "milioni")}),
    cents=MappingProxyType({"": ("centesimo", "centesimi"), "GBP": ("penny", "pence")}),
    currencies=MappingProxyType({"$": ("dollaro", "dollari"), "£": ("sterlina", "sterline"), "¥": ("yen", "yen"),
                                 "R$": ("real", "real"), "₹": ("rupia", "rupie")}),
    titles=MappingProxyType({
        "Sig.": "signor", "Sig.ra": "signora", "Sig.na": "signorina", "Sigg.": "signori", "Dott.": "dottor",
        "Dott.ssa": "dottoressa", "Dr.": "dottor", "Prof.": "professor", "Prof.ssa": "professoressa",
        "Ing.": "ingegner", "Avv.": "avvocato", "Arch.": "architetto", "On.": "onorevole", "Gen.": "generale",
        "Geom.": "geometra", "Rag.": "ragionier", "sig.": "signor", "sig.ra": "signora", "dott.": "dottor",
        "prof.": "professor", "Mons.": "monsignor",
    }),
    abbreviations=MappingProxyType({
        "P. es.": "Per esempio", "Ad es.": "Ad esempio",
        "ecc.": "eccetera", "p. es.": "per esempio", "p.es.": "per esempio", "ad es.": "ad esempio",
        "es.": "esempio", "a.C.": "avanti Cristo", "d.C.": "dopo Cristo", "a. C.": "avanti Cristo",
        "d. C.": "dopo Cristo", "tel.": "telefono", "Tel.": "telefono", "ca.": "circa", "c.so": "corso",
        "p.zza": "piazza", "P.zza": "piazza", "v.le": "viale", "V.le": "viale", "S.p.A.": "esse pi a",
    }),
    before_numbers=MappingProxyType({"n.": "numero", "N.": "numero", "nº": "numero", "n°": "numero",
                                     "pag.": "pagina", "sec.": "secolo",
                                     "pagg.": "pagine", "p.": "pagina", "pp.": "pagine", "cap.": "capitolo",
                                     "art.": "articolo", "vol.": "volume", "fig.": "figura"}),
    final=frozenset({"ecc.", "a.C.", "d.C.", "S.p.A."}),
    not_nouns=frozenset("e ed o od di del della dei delle da al alla a in per con senza che si è sono era più meno "
                        "come "
                        "se né ma su tra fra già la le il lo gli i un una non ha nel nella dal dalla alle ai".split()),
)  # fmt: skip
_MASCULINE = re.compile(r"(?:problema|programma|tema|sistema|clima|poema|dramma|chilowattora|pianeta|artista|turista|"
                        r"poeta|diploma|panorama|schema|collega|cinema)")  # fmt: skip
_FEMININE = re.compile(r".+(?:a|zione|sione|gione|tà|tù|trice|udine)|mano|notte|parte|chiave|nave|legge|luce|voce|"
                       r"moglie|gente|classe|torre|fonte|morte|base|frase|carne|serie|specie|foto|auto|moto|"
                       r"radio")  # fmt: skip
_VOWEL = re.compile(r"h?[aeiouàèéìòù]")
_LONG = re.compile(r"s[^aeiouàèéìòù]|z|gn|ps|pn|x|y[^aeiou]|i[aeiou]")


class Italian(Grammar):
    """Italian."""

    language = "ita"
    words = _WORDS
    ordinal_suffixes = r"(º|ª|°(?= [^\W\d_]{2}))"
    after_million = "di"
    cents_link = " e "
    names_cents = False
    regnal = frozenset(
        "luigi carlo enrico giorgio elisabetta guglielmo edoardo riccardo giacomo filippo pio paolo benedetto "
        "francesco "
        "federico napoleone caterina pietro nicola alessandro leone gregorio innocenzo emanuele umberto vittorio ivan "
        "giovanni clemente urbano ramses amedeo cosimo".split()
    )

    def cardinal(self, number: int, around: Around = ALONE) -> str:
        noun = around.after.lower() if self.is_noun(around.after) else ""
        if number == 1 and noun:
            if _FEMININE.fullmatch(noun.split(" ")[0]) and not _MASCULINE.fullmatch(noun.split(" ")[0]):
                return "un'" if _VOWEL.match(noun) and not noun.startswith(("ia", "io")) else "una"
            return "uno" if _LONG.match(noun) else "un"
        if number == 1 and around.last == "la":
            return "una"
        return in_words(number, self.language)

    def ordinal(self, number: int, suffix: str = "", around: Around = ALONE) -> str:
        spoken = in_words(number, self.language, "ordinal")
        return f"{spoken[:-1]}a" if suffix == "ª" else spoken

    def date(self, day: int, month: int, year: int | None, around: Around = ALONE, *, day_first: bool = True) -> str:
        spoken = f"{'primo' if day == 1 else self.cardinal(day)} {self.cldr.month(month)}"
        return spoken if year is None else f"{spoken} {self.year(year)}"

    def time(self, hour: int, minute: int, half: str = "") -> str:
        behind = ""
        if half == "am":
            behind = " di mattina"
        elif half == "pm":
            behind = " di sera" if 6 <= hour < 12 else " di pomeriggio"
        spoken = "una" if hour == 1 else self.cardinal(hour)
        if not hour and not minute:
            return f"mezzanotte{behind}"
        return f"{spoken}{f' e {self.cardinal(minute)}' if minute else ''}{behind}"

    def fraction(self, numerator: int, denominator: int) -> str:
        if denominator == 2:
            return "mezzo" if numerator == 1 else f"{self.cardinal(numerator)} mezzi"
        one = self.ordinal(denominator)
        return f"un {one}" if numerator == 1 else f"{self.cardinal(numerator)} {one[:-1]}i"

    def regnal_number(self, name: str, number: int) -> str:
        return self.ordinal(number, "ª" if name.lower() in ("elisabetta", "caterina") else "")

    def century(self, number: int, around: Around) -> str | None:
        return self.ordinal(number) if around.after.lower() == "secolo" or around.last in ("secolo", "sec.") else None
