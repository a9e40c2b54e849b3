"""French."""

from __future__ import annotations

import re
from types import MappingProxyType

from speech.tts.text_front_end.grammar import ALONE, Around, FixedWords, Grammar
from speech.tts.text_front_end.number_words import in_words

_WORDS = FixedWords(
    minus="moins", point="virgule", to="à", ratio="à", per="par", percent="pour cent",
    symbols=MappingProxyType({
        ".": "point", "/": "barre oblique", "-": "tiret", "_": "tiret bas", ":": "deux points",
        "?": "point d'interrogation", "#": "numéro", "%": "pour cent", "@": "arobase", "&": "et", "+": "plus",
        "=": "égale", "~": "tilde", "×": "fois", "÷": "divisé par", "±": "plus ou moins", "°": "degrés",
        "§": "paragraphe", "<": "inférieur à", ">": "supérieur à", "*": "astérisque", "‰": "pour mille",
        "#a": "mot-dièse", "²": "au carré", "³": "au cube",
    }),
    scales=MappingProxyType({"million": ("million", "millions"), "millions": ("million", "millions"),
                             "milliard": ("milliard", "milliards"), "milliards": ("milliard", "milliards"),
                             "M": ("million", "millions"), "Md": ("milliard", "milliards"), "mille": ("mille", "mille"),
                             "Mds": ("milliard", "milliards"), "k": ("mille", "mille")}),
    cents=MappingProxyType({"": ("centime", "centimes"), "USD": ("cent", "cents"), "GBP": ("penny", "pence")}),
    currencies=MappingProxyType({"$": ("dollar", "dollars"), "£": ("livre sterling", "livres sterling"),
                                 "¥": ("yen", "yens"),
                                 "R$": ("réal", "réals"), "₹": ("roupie", "roupies")}),
    titles=MappingProxyType({
        "M.": "monsieur", "MM.": "messieurs", "Mme": "madame", "Mmes": "mesdames", "Mlle": "mademoiselle",
        "Mlles": "mesdemoiselles", "Dr": "docteur", "Dr.": "docteur", "Pr": "professeur", "Me": "maître",
        "Mgr": "monseigneur", "St": "saint", "Ste": "sainte", "Gén.": "général",
    }),
    abbreviations=MappingProxyType({
        "P. ex.": "Par exemple",
        "etc.": "et cetera", "p. ex.": "par exemple", "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire",
        "av. J.-C.": "avant Jésus-Christ", "apr. J.-C.": "après Jésus-Christ", "env.": "environ", "av.": "avenue",
        "bd.": "boulevard", "Cie": "compagnie", "tél.": "téléphone", "Tél.": "téléphone", "cf.": "confer",
    }),
    before_numbers=MappingProxyType({"n°": "numéro", "N°": "numéro", "nº": "numéro", "no": "numéro", "p.": "page",
                                     "pp.": "pages", "art.": "article", "chap.": "chapitre", "vol.": "volume",
                                     "fig.": "figure"}),
    final=frozenset({"etc.", "av. J.-C.", "apr. J.-C."}),
    not_nouns=frozenset("et ou de du des à au aux en par pour avec sans que qui se est sont était plus moins comme "
                        "si ni "
                        "mais sur entre depuis selon la le les un une ne pas dans".split()),
)  # fmt: skip
_MASCULINE = re.compile(
    r"(?:été|côté|comité|traité|musée|lycée|trophée|silence|prince|murmure|bastion|incendie|génie|parapluie|grade|stade|"
    r"squelette|degré|arrêté|député|blessé|employé|invité|passé|marché|congé)s?"
)
_FEMININE = re.compile(
    r".+(?:tion|sion|té|ette|ance|ence|ure|ée|euse|esse|ise|ude|ade|ière|ie|elle|ine|aine|onne|trice)s?|"
    r"(?:heure|minute|seconde|semaine|page|femme|fille|livre sterling|livres sterling|tonne|once|place|chambre|pièce|"
    r"voiture|maison|ville|table|chose|roupie|couronne|lettre|ligne|étoile|tasse|route|rue|fleur|main|partie|classe|"
    r"équipe|langue|image|porte|école|tête|idée|fenêtre|feuille|image|carte|part|nuit|mère|sœur|photo|vidéo|balle|"
    r"pomme|église|île|note|piste|tranche|phrase|calorie|kilocalorie|livre-poids|yarde)s?|fois"
)


class French(Grammar):
    """French as in France."""

    language = "fra"
    words = _WORDS
    ordinal_suffixes = r"(ers?|res?|ères?|es?|èmes?|nde?s?|ᵉʳ|ᵉ)\b"
    spaced_groups = True
    after_million = "de"
    cents_link = " "
    names_cents = False
    regnal = frozenset(
        "louis charles henri philippe françois napoléon jean paul pie benoît grégoire léon élisabeth elisabeth georges "
        "édouard guillaume richard jacques frédéric catherine pierre nicolas alexandre innocent clément urbain albert "
        "léopold baudouin victor ramsès".split()
    )

    def cardinal(self, number: int, around: Around = ALONE) -> str:
        spoken = in_words(number, self.language)
        noun = around.after.lower() if self.is_noun(around.after) else ""
        if spoken.endswith("un") and _FEMININE.fullmatch(noun) and not _MASCULINE.fullmatch(noun):
            return f"{spoken}e"
        return spoken

    def linked(self, noun: str) -> str:
        return f"d'{noun}" if noun[0].lower() in "aeéiouyh" and not noun.startswith("yen") else f"de {noun}"

    def ordinal(self, number: int, suffix: str = "", around: Around = ALONE) -> str:
        if number == 1:
            spoken = "première" if suffix.startswith(("re", "ère")) else "premier"
        elif suffix.startswith("nd"):
            spoken = "seconde" if suffix.startswith("nde") else "second"
        else:
            spoken = in_words(number, self.language, "ordinal").replace("vingtsième", "vingtième")
            spoken = spoken.replace("centsième", "centième")
        return f"{spoken}s" if suffix.endswith("s") else spoken

    def date(self, day: int, month: int, year: int | None, around: Around = ALONE, *, day_first: bool = True) -> str:
        spoken = f"{'premier' if day == 1 else self.cardinal(day)} {self.cldr.month(month)}"
        return spoken if year is None else f"{spoken} {self.year(year)}"

    def time(self, hour: int, minute: int, half: str = "") -> str:
        behind = ""
        if half == "am":
            behind = " du matin"
        elif half == "pm":
            behind = " du soir" if 6 <= hour < 12 else " de l'après-midi"
        hours = f"{self.cardinal(hour, Around(after='heure'))} {'heure' if hour < 2 else 'heures'}"
        minutes = "une" if minute == 1 else self.cardinal(minute, Around(after="minutes"))
        return f"{hours}{f' {minutes}' if minute else ''}{behind}"

    def fraction(self, numerator: int, denominator: int) -> str:
        if denominator > 20:
            return f"{self.cardinal(numerator)} sur {self.cardinal(denominator)}"
        one = {2: "demi", 3: "tiers", 4: "quart"}.get(denominator) or self.ordinal(denominator)
        many = one if one.endswith("s") else f"{one}s"
        return f"{self.cardinal(numerator)} {one if numerator == 1 else many}"

    def regnal_number(self, name: str, number: int) -> str:
        feminine = "re" if name.lower() in ("élisabeth", "elisabeth", "catherine") else "er"
        return self.ordinal(1, feminine) if number == 1 else self.cardinal(number)

    def century(self, number: int, around: Around) -> str | None:
        return self.ordinal(number) if around.after.lower() in ("siècle", "siècles", "s.") else None
