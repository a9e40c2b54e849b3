"""The elements of SSML that are known, and what their attributes mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from speech.errors import TextError
from speech.text.languages import resolve
from speech.tts.text_front_end.say_as import FORMATS, WAYS

ALLOWED: dict[str, tuple[str, ...]] = {
    "speak": ("xml:lang", "version", "xmlns", "xmlns:xsi", "xsi:schemaLocation"), "p": ("xml:lang",),
    "s": ("xml:lang",), "lang": ("xml:lang",), "break": ("time", "strength"), "prosody": ("rate",),
    "say-as": ("interpret-as", "format"), "sub": ("alias",), "phoneme": ("ph", "alphabet"),
}  # fmt: skip
"""Attributes of each element."""
TEXT_ONLY = frozenset({"say-as", "sub", "phoneme"})
EMPTY = frozenset({"break"})
STRENGTHS_S = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
"""Pauses by the names of their strength, in seconds."""
RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
LEAST_RATE, MOST_RATE = 0.5, 2.0
MOST_PAUSE_S = 10.0
_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{1,3})?)(ms|s)")
_PERCENT = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{1,3})?)%")
_NUMBER = re.compile(r"\d{0,3}\.?\d{1,3}")


@dataclass(frozen=True)
class Style:
    """How the text of an element is spoken."""

    language: str
    others: tuple[str, ...] = ()
    rate: float = 1.0
    pause_s: float | None = None
    """Of `break`."""
    say_as: str = ""
    date_format: str = ""
    alias: str = ""
    phonemes: str = ""
    """IPA."""


def begun(name: str, attributes: dict[str, str], inside: str | None, style: Style) -> Style:
    """The style within an element.

    Args:
        inside: name of the element around it, None at the start.
        style: style around it.

    Raises:
        TextError: if the element or an attribute is not known, or stands where it may not; without a place.
        LanguageError: if a language is unknown.
    """
    if name not in ALLOWED:
        raise TextError(f"<{name}> is not known", fix=f"Known elements: {', '.join(ALLOWED)}.")
    if (name == "speak") != (inside is None):
        raise TextError(
            f"<{name}> is {'outside' if inside is None else 'within'} <speak>", fix="A document is one <speak>."
        )
    if inside in TEXT_ONLY | EMPTY:
        raise TextError(
            f"<{name}> is within <{inside}>",
            fix=f"<{inside}> has {'text only' if inside in TEXT_ONLY else 'no content'}.",
        )
    if (name == "p" and inside != "speak") or (name == "s" and inside not in ("speak", "p")):
        raise TextError(f"<{name}> is within <{inside}>", fix="Paragraphs and sentences are not within other elements.")
    for attribute in attributes:
        if attribute not in ALLOWED[name]:
            raise TextError(
                f"<{name}> has the attribute {attribute!r}", fix=f"Known attributes: {', '.join(ALLOWED[name])}."
            )
    if "xml:lang" in attributes:
        style = replace(style, language=resolve(attributes["xml:lang"]).code)
    match name:
        case "break":
            return replace(style, pause_s=_pause_s(attributes))
        case "prosody":
            return replace(style, rate=_rate(attributes, style.rate))
        case "say-as":
            way = _one_of("interpret-as", _needed(name, "interpret-as", attributes), WAYS)
            order = attributes.get("format", "")
            return replace(
                style, say_as=way, date_format=_one_of("format", order, FORMATS) if order and way == "date" else ""
            )
        case "sub":
            return replace(style, alias=_needed(name, "alias", attributes))
        case "phoneme":
            _one_of("alphabet", attributes.get("alphabet", "ipa"), ("ipa",))
            return replace(style, phonemes=_needed(name, "ph", attributes))
        case "lang":
            _needed(name, "xml:lang", attributes)
    return style


def _needed(name: str, attribute: str, attributes: dict[str, str]) -> str:
    if not attributes.get(attribute, "").strip():
        raise TextError(f"<{name}> has no {attribute}", fix=f'Write <{name} {attribute}="...">.')
    return attributes[attribute].strip()


def _one_of(attribute: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise TextError(f"{attribute}={value!r}, expected one of {', '.join(allowed)}")
    return value


def _pause_s(attributes: dict[str, str]) -> float:
    if "time" not in attributes:
        return STRENGTHS_S[_one_of("strength", attributes.get("strength", "medium"), tuple(STRENGTHS_S))]
    found = _TIME.fullmatch(attributes["time"].strip())
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1.0
    if not 0 <= seconds <= MOST_PAUSE_S:
        raise TextError(f"time={attributes['time']!r}, expected 0ms to {MOST_PAUSE_S:.0f}s", fix='Write time="500ms".')
    return seconds


def _rate(attributes: dict[str, str], around: float) -> float:
    written = _needed("prosody", "rate", attributes)
    if written in RATES:
        rate = RATES[written]
    elif found := _PERCENT.fullmatch(written):
        change = float(found[2]) / 100
        rate = {"": change, "+": 1 + change, "-": 1 - change}[found[1]]
    elif _NUMBER.fullmatch(written):
        rate = float(written)
    else:
        raise TextError(
            f"rate={written!r} is not known", fix=f'Write a percentage such as rate="80%", or {", ".join(RATES)}.'
        )
    if not LEAST_RATE <= rate * around <= MOST_RATE:
        raise TextError(f"rate={written!r} makes {rate * around:g}, expected {LEAST_RATE:g} to {MOST_RATE:g}")
    return rate * around
