"""Backchannels: what listeners say to show that they listen, without asking for the turn."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache

from speech.text.languages import resolve
from speech.text.normalize import plain_text

MOST_WORDS = 3
SURE_HUM, SURE_LONG_HUM, SURE_NEAR, SURE_WORD, SURE_WORDS = 0.95, 0.85, 0.9, 0.8, 0.6
"""Confidence from which on words over our voice are what they seem: sounds like "ah", those of a long hum, a word that
is a backchannel but for one letter, another single word, several words."""
SHORT_S = 0.7
"""Seconds in which several doubted words are said that may be none."""
_DEMANDS = {
    "cat": "para|atura|espera|espereu|prou|silenci|calla|com|què|perdó|perdona",
    "cmn": "停|等|等等|等一下|不|不对|不是|别说了|安静|什么",
    "dan": "stop|vent|nej|ro|stille|hvad|undskyld",
    "deu": "stop|stopp|halt|warte|warten|moment|nein|nee|falsch|ruhe|stille|genug|was|wie|bitte|entschuldigung|"
    "aufhören",
    "ell": "στοπ|σταμάτα|περίμενε|όχι|ησυχία|τι|συγγνώμη",
    "eng": "stop|wait|no|nope|hold|quiet|silence|enough|wrong|cancel|pause|what|why|who|where|when|how|sorry|pardon|"
    "excuse|but|listen|shush",
    "fra": "stop|non|arrête|arrêtez|attends|attendez|silence|assez|faux|quoi|comment|pardon|pourquoi|minute|mais",
    "ita": "stop|no|aspetta|aspetti|fermati|fermo|ferma|basta|silenzio|cosa|come|scusa|scusi|perché|momento",
    "jpn": "待って|ちょっと待って|やめて|止めて|ストップ|違う|いいえ|いや|え|何",
    "nld": "stop|nee|wacht|stil|stilte|genoeg|fout|wat|sorry|moment",
    "por": "pare|para|não|espere|espera|calma|silêncio|chega|quê|como|desculpe|desculpa|momento",
    "ron": "stop|stai|așteaptă|nu|oprește|liniște|gata|ce|cum|scuze",
    "rus": "стоп|подожди|подождите|нет|хватит|тихо|стой|стойте|погоди|что|как|извините",
    "spa": "alto|para|pare|no|espera|espere|basta|silencio|calla|cállate|qué|cómo|perdón|perdona|disculpa|momento|pero",
}
"""Words that ask for the turn, or for silence; those of English count everywhere."""
_NEAR_LETTERS, _NEAR_KNOWN = 4, 3
"""Letters of a word from which on one of them may be another ("bardon" of "pardon"), and of a backchannel ("yas")."""
_HUM = re.compile("(?:[mnhwɑаеэоум]+|[hw]?[aeiouáàäâéèêíóòöôúùü]{1,2}[hmnw]*|[mnhw]+[aeou]+[hm]*)")
"""A word that a recogniser writes for "mm-hmm", "uh-huh", "ah" and their like."""
_HUMMED = re.compile("[aeiouäöümhn]")
_HUMMED_SHARE, _HUMMED_M = 0.75, 3
"""Share of such letters, and number of "m", from which on several words may be one long hum: "e mai machemem"."""
_LONGEST = 60
"""Characters; a longer text is not looked at."""
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_ASKED = re.compile("[?？؟;]")

_EVERYWHERE = "mhm|mm|m|hm|hmm|mm hmm|mm hm|m hm|hm hm|uh huh|aha|ah|oh|ah ha|okay|ok|oke|okey|o k"
_LISTS = {
    "bel": "так|ага|угу|добра|зразумела|вядома",
    "bul": "да|ага|аха|добре|разбирам|точно|така|ясно",
    "cat": "sí|d'acord|val|és clar|clar|exacte|entesos|ja|ja veig|molt bé|bé|ahà",
    "cmn": "嗯|嗯嗯|对|对对|对对对|好|好的|是|是的|哦|噢|行|明白|知道了|没错",
    "dan": "ja|jo|jep|nå|javel|nemlig|præcis|okay|klart|godt|fint|selvfølgelig",
    "deu": "ja|jaja|jo|jap|jup|genau|klar|stimmt|richtig|achso|ach so|ach ja|ach|gut|alles klar|verstehe|ich verstehe|"
    "na klar|eben|sicher|natürlich|schön|prima|super|sehr gut|ja klar|ja genau|das stimmt|so ist es|aja",
    "ell": "ναι|μάλιστα|εντάξει|ωραία|σωστά|βέβαια|καλά|κατάλαβα|ακριβώς",
    "eng": "yeah|ya|yes|yep|yup|yea|right|sure|i see|got it|alright|all right|of course|exactly|good|great|cool|nice|"
    "true|makes sense|understood|wow|absolutely|totally|indeed|definitely|fine|uhuh|that's right|that's true|i know|"
    "very good|sounds good|i understand|fair enough|interesting|perfect",
    "fra": "oui|ouais|d'accord|bien sûr|bon|voilà|exactement|c'est ça|je vois|ah bon|tout à fait|c'est vrai|très bien|"
    "bien|entendu|en effet|c'est clair|évidemment|exact|je comprends|ça marche|mouais|super|parfait|c'est bon",
    "ita": "sì|si|certo|va bene|esatto|giusto|capito|ho capito|ecco|già|eh già|appunto|d'accordo|bene|infatti|chiaro|"
    "vero|è vero|eh|certamente|perfetto|capisco|benissimo|molto bene|proprio così|esattamente|come no",
    "jpn": "はい|うん|うんうん|ええ|そう|そうです|そうですね|そうですか|なるほど|へえ|そうそう|わかりました",
    "nld": "ja|jaja|jawel|precies|klopt|inderdaad|goed|oké|prima|juist|ik snap het|ik begrijp het|natuurlijk|tuurlijk|"
    "ja hoor|ja precies|mooi",
    "por": "sim|pois é|pois|claro|certo|tá|tá bom|está bem|está bom|é|isso|isso mesmo|entendi|percebo|percebi|exato|"
    "exatamente|aham|uhum|ahã|hum|beleza|com certeza|é verdade|verdade|bem|muito bem|bom|tá certo|perfeito|ótimo|"
    "é isso|compreendo|legal|tudo bem",
    "ron": "da|aha|îhî|sigur|bine|exact|desigur|așa e|așa|înțeleg|am înțeles|corect|normal|foarte bine",
    "rus": "да|ага|угу|понятно|ясно|хорошо|точно|конечно|верно|ладно|понял|поняла|так|правильно|да да|вот именно",
    "spa": "sí|si|ajá|claro|vale|ya|ya veo|entiendo|exacto|exactamente|eso|eso es|cierto|así es|de acuerdo|"
    "por supuesto|bueno|bien|muy bien|perfecto|es verdad|verdad|claro que sí|ujum|mjm|ya entiendo|comprendo|"
    "correcto|está bien",
}  # fmt: skip


def is_backchannel(text: str, language: str | None = None) -> bool:
    """Whether a text consists of nothing but acknowledgements, at most three words of them, and asks nothing.

    Args:
        text: as recognised.
        language: of the text, as ISO 639 code or name; if it is None, or has no list, acknowledgements of all
            languages count.

    Raises:
        LanguageError: if there is no such language.
    """
    code = None if language is None else resolve(language).code
    if len(text) > _LONGEST or _ASKED.search(text):
        return False
    words = plain_text(text).split()
    if not 0 < len(words) <= MOST_WORDS:
        return False
    known = _acknowledgements(code if code in _LISTS else None)
    return _all_known(tuple(words), known) or _all_known(tuple(_DRAWN_OUT.sub(r"\1", word) for word in words), known)


def only_listens(text: str, language: str | None, confidence: float, seconds: float = math.inf) -> bool:
    """Whether words over our voice only show that somebody listens: they are a backchannel, or the recogniser doubts
    them, as it does "uh-huh" and its like, and they may be one: sounds without a word, a single word, or two or three
    in a short time. Nothing that asks for the turn is among them.

    Args:
        text: as recognised.
        language: as of `is_backchannel`.
        confidence: of the least certain word, 0 to 1.
        seconds: in which they were said.

    Raises:
        LanguageError: if there is no such language.
    """
    words = plain_text(text[:_LONGEST]).split()
    if is_backchannel(text, language):
        return True
    if not words or len(text) > _LONGEST or _ASKED.search(text) or asks_for_turn(words, language):
        return False
    if _long_hum("".join(words)):
        return confidence < SURE_LONG_HUM
    if len(words) > MOST_WORDS:
        return False
    if all(_HUM.fullmatch(word) for word in words):
        return confidence < SURE_HUM
    if len(words) == 1 and _nearly_known(words[0], language):
        return confidence < SURE_NEAR
    return confidence < (SURE_WORD if len(words) == 1 else SURE_WORDS) and (len(words) == 1 or seconds <= SHORT_S)


def _long_hum(letters: str) -> bool:
    return letters.count("m") >= _HUMMED_M and len(_HUMMED.findall(letters)) >= _HUMMED_SHARE * len(letters)


def _nearly_known(word: str, language: str | None) -> bool:
    """Whether a single word is an acknowledgement of a language but for a letter."""
    code = None if language is None else resolve(language).code
    known = _acknowledgements(code if code in _LISTS else None)
    return any(len(own) == 1 and _near(word, own[0], _NEAR_KNOWN) for own in known)


def asks_for_turn(words: Sequence[str], language: str | None) -> bool:
    """Whether any of words, in small letters, asks for the turn or for silence; one letter of a longer one may be
    another.

    Raises:
        LanguageError: if there is no such language.
    """
    known = _demands(None if language is None else resolve(language).code)
    return any(word in known or any(_near(word, own, _NEAR_LETTERS) for own in known) for word in words)


def _near(word: str, known: str, letters: int) -> bool:
    """Whether a word of so many letters or more is another one but for a letter."""
    if len(word) != len(known) or len(word) < letters:
        return False
    return sum(one != other for one, other in zip(word, known, strict=True)) == 1


@cache
def _demands(code: str | None) -> frozenset[str]:
    """Those of a language and of English; of all where there is no list."""
    own = [_DEMANDS[code], _DEMANDS["eng"]] if code in _DEMANDS else [*_DEMANDS.values()]
    return frozenset(word for every in own for word in plain_text(every.replace("|", " ")).split())


def _all_known(words: tuple[str, ...], known: frozenset[tuple[str, ...]]) -> bool:
    """Whether words are acknowledgements, one after the other."""
    if not words:
        return True
    return any(words[:count] in known and _all_known(words[count:], known) for count in range(1, len(words) + 1))


@cache
def _acknowledgements(code: str | None) -> frozenset[tuple[str, ...]]:
    """Those of a language, or of all, each as its words."""
    lists = [_LISTS[code]] if code is not None else [*_LISTS.values()]
    return frozenset(tuple(plain_text(own).split()) for every in (_EVERYWHERE, *lists) for own in every.split("|"))
