"""Portuguese."""

from __future__ import annotations

import re
from decimal import Decimal
from types import MappingProxyType

from speech.tts.text_front_end.grammar import ALONE, Around, FixedWords, Grammar
from speech.tts.text_front_end.number_words import in_words

_WORDS = FixedWords(
    minus="menos", point="vírgula", to="a", ratio="a", per="por", percent="por cento",
    symbols=MappingProxyType({
        ".": "ponto", "/": "barra", "-": "hífen", "_": "sublinhado", ":": "dois pontos", "?": "ponto de interrogação",
        "#": "número", "%": "por cento", "@": "arroba", "&": "e", "+": "mais", "=": "igual a", "~": "til",
        "×": "vezes", "÷": "dividido por", "±": "mais ou menos", "°": "graus", "§": "parágrafo", "<": "menor que",
        ">": "maior que", "*": "asterisco", "‰": "por mil", "#a": "hashtag", "²": "ao quadrado", "³": "ao cubo",
    }),
    scales=MappingProxyType({"milhão": ("milhão", "milhões"), "milhões": ("milhão", "milhões"),
                             "bilhão": ("bilhão", "bilhões"), "bilhões": ("bilhão", "bilhões"), "mil": ("mil", "mil"),
                             "mi": ("milhão", "milhões"), "bi": ("bilhão", "bilhões"), "M": ("milhão", "milhões"),
                             "trilhão": ("trilhão", "trilhões"), "trilhões": ("trilhão", "trilhões")}),
    cents=MappingProxyType({"": ("centavo", "centavos"), "EUR": ("cêntimo", "cêntimos"), "GBP": ("penny", "pence"),
                            "CHF": ("cêntimo", "cêntimos")}),
    currencies=MappingProxyType({"$": ("dólar", "dólares"), "£": ("libra", "libras"), "¥": ("iene", "ienes"),
                                 "R$": ("real", "reais"), "₹": ("rupia", "rupias"), "€": ("euro", "euros")}),
    titles=MappingProxyType({
        "Sr.": "senhor", "Sra.": "senhora", "Srta.": "senhorita", "Srs.": "senhores", "Dr.": "doutor",
        "Dra.": "doutora", "Prof.": "professor", "Profa.": "professora", "Prof.ª": "professora", "Eng.": "engenheiro",
        "D.": "dom", "Exmo.": "excelentíssimo", "Av.": "avenida", "Pe.": "padre", "Gal.": "general", "Sto.": "santo",
        "Sta.": "santa", "Cel.": "coronel",
    }),
    abbreviations=MappingProxyType({
        "P. ex.": "Por exemplo",
        "p. ex.": "por exemplo", "p.ex.": "por exemplo", "etc.": "etcétera", "a.C.": "antes de Cristo",
        "d.C.": "depois de Cristo", "a. C.": "antes de Cristo", "d. C.": "depois de Cristo", "tel.": "telefone",
        "Tel.": "telefone", "aprox.": "aproximadamente", "Cia.": "companhia", "Ltda.": "limitada", "obs.": "observação",
        "Obs.": "observação", "depto.": "departamento", "V. Ex.ª": "vossa excelência", "Jr.": "júnior",
    }),
    before_numbers=MappingProxyType({"n.º": "número", "nº": "número", "Nº": "número", "n°": "número",
                                     "pág.": "página", "séc.": "século",
                                     "págs.": "páginas", "p.": "página", "cap.": "capítulo", "art.": "artigo",
                                     "vol.": "volume", "fig.": "figura", "núm.": "número"}),
    final=frozenset({"etc.", "a.C.", "d.C.", "Ltda.", "Jr.", "Cia."}),
    not_nouns=frozenset("e ou de do da dos das a ao à às aos em no na por para com sem que se é são era mais menos "
                        "como "
                        "não nem mas sobre entre até desde já o os as um uma há foi está estão quando onde".split()),
)  # fmt: skip
_MASCULINE = re.compile(
    r"(?:dia|problema|programa|tema|sistema|mapa|planeta|idioma|clima|poema|drama|esquema|sintoma|diploma|artista|"
    r"turista|quilograma|miligrama|grama|cometa|poeta|atleta|colega|guarda|cinema|telegrama)s?"
)
_FEMININE = re.compile(
    r".+as?|.+(?:ção|ções|são|sões|gem|gens|dade|dades|tude|tudes)|"
    r"(?:vez|vezes|noite|noites|tarde|tardes|mulher|mulheres|mão|mãos|flor|flores|parte|partes|classe|classes|chave|"
    r"chaves|rede|redes|luz|luzes|voz|vozes|fonte|fontes|ponte|pontes|base|bases|frase|frases|série|séries|mãe|mães)"
)
_TENS = ("", "décim", "vigésim", "trigésim", "quadragésim", "quinquagésim", "sexagésim", "septuagésim", "octogésim",
         "nonagésim")  # fmt: skip
_UNITS = ("", "primeir", "segund", "terceir", "quart", "quint", "sext", "sétim", "oitav", "non")


class Portuguese(Grammar):
    """Portuguese as in Brazil."""

    language = "por"
    words = _WORDS
    year_link = " de "
    ordinal_suffixes = r"(\.?[ºª]|°(?= [^\W\d_]{2}))"
    after_million = "de"
    cents_link = " e "
    regnal = frozenset(
        "afonso carlos filipe fernando isabel luís luis henrique joão pedro paulo pio bento francisco napoleão nicolau "
        "alexandre leão gregório inocêncio guilherme jorge eduardo ricardo catarina manuel sancho josé clemente "
        "urbano elizabeth elisabeth maria sebastião".split()
    )

    def cardinal(self, number: int, around: Around = ALONE) -> str:
        spoken = in_words(number, self.language).replace(",", "")
        noun = around.after.lower() if self.is_noun(around.after) else ""
        if self._feminine(noun) if noun else around.last in ("às", "as", "à"):
            return re.sub(
                r"\b(um|dois|\w+entos)\b(?! (?:milh|bilh|trilh))",
                lambda found: {"um": "uma", "dois": "duas"}.get(found[0], found[0].replace("entos", "entas")),
                spoken,
            )
        return spoken

    def _feminine(self, noun: str) -> bool:
        head = noun.split(" ")[0]
        return _FEMININE.fullmatch(head) is not None and _MASCULINE.fullmatch(head) is None

    def currency(self, code: str, count: Decimal, symbol: str = "") -> str:
        return super().currency(code, count, symbol).lower()

    def ordinal(self, number: int, suffix: str = "", around: Around = ALONE) -> str:
        if not 0 < number < 100:
            return in_words(number, self.language, "ordinal") if number <= 1000 else self.cardinal(number, around)
        end = "a" if suffix.endswith("ª") else "o"
        tens, units = divmod(number, 10)
        return " ".join(f"{stem}{end}" for stem in (_TENS[tens], _UNITS[units]) if stem)

    def date(self, day: int, month: int, year: int | None, around: Around = ALONE, *, day_first: bool = True) -> str:
        spoken = f"{'primeiro' if day == 1 else self.cardinal(day)} de {self.cldr.month(month)}"
        return spoken if year is None else f"{spoken} de {self.year(year)}"

    def time(self, hour: int, minute: int, half: str = "") -> str:
        behind = ""
        if half == "am":
            behind = " da manhã"
        elif half == "pm":
            behind = " da noite" if 7 <= hour < 12 else " da tarde"
        spoken = self.cardinal(hour, Around(after="horas"))
        if not minute:
            return spoken + (behind or (" hora" if hour == 1 else " horas"))
        return f"{spoken} e {self.cardinal(minute)}{behind}"

    def fraction(self, numerator: int, denominator: int) -> str:
        if denominator == 2:
            one = "meio"
        elif denominator == 3:
            one = "terço"
        elif denominator <= 10:
            one = self.ordinal(denominator)
        else:
            one = "centésimo" if denominator == 100 else f"{self.cardinal(denominator)} avos"
        many = one if one.endswith("s") else f"{one}s"
        return f"{self.cardinal(numerator)} {one if numerator == 1 else many}"

    def regnal_number(self, name: str, number: int) -> str:
        feminine = name.lower() in ("isabel", "elizabeth", "elisabeth", "catarina", "maria")
        return self.ordinal(number, "ª" if feminine else "º") if number <= 10 else self.cardinal(number)

    def century(self, number: int, around: Around) -> str | None:
        if around.last not in ("século", "séculos", "séc."):
            return None
        return self.ordinal(number) if number <= 10 else self.cardinal(number)
