"""Times of day."""

from __future__ import annotations

import re

from speech.tts.text_front_end.scanning import NOT_INSIDE, SPACE, Language, Scan

_HALF = rf"(?:{SPACE}([AaPp])\.?{SPACE}[Mm]\b\.?)"
_PM_ONLY = rf"(?:{SPACE}([Pp])\.?{SPACE}[Mm]\b\.?)"
"""In German, "5 am" may go on: am Montag."""
_WITH_H = re.compile(rf"{NOT_INSIDE}([01]?\d|2[0-4]){SPACE}[hH]{SPACE}([0-5]\d)(?:min|m)?\b")
_UHR = re.compile(rf"{NOT_INSIDE}([01]?\d|2[0-4])(?:\.([0-5]\d))?{SPACE}Uhr\b(?: ([0-5]?\d)\b(?![.,]?\d))?")
_DOTTED = re.compile(rf"{NOT_INSIDE}([01]?\d|2[0-3])\.([0-5]\d){SPACE}(?:h|hs|horas|ore)\b")
_AT = re.compile(r"(?:(?<=[Aa]lle )|(?<=[Oo]re ))([01]?\d|2[0-3])\.([0-5]\d)(?![\w]|[.,]\d)")


def times(scan: Scan, language: Language) -> None:
    """Claim times with a colon, with am or pm, with h (14h30) and with Uhr."""
    grammar = language.grammar
    half_day = _PM_ONLY if grammar.language == "deu" else _HALF
    for found in scan.found(language.pattern("clock", lambda: _clock(half_day))):
        hour, minute = int(found[1]), int(found[2])
        half = f"{found[4].lower()}m" if found[4] else ""
        if hour == 24 and minute:
            continue
        spoken = grammar.time(hour, minute, half)
        if found[3] and int(found[3]):
            spoken = f"{spoken} {grammar.seconds(int(found[3]))}"
        scan.claim(found.start(), _before_stop(scan.text, found), spoken)
    hours = language.pattern("hours", lambda: rf"{NOT_INSIDE}(1[0-2]|0?[1-9]){half_day}(?!\w)")
    for found in scan.found(hours):
        scan.claim(
            found.start(), _before_stop(scan.text, found), grammar.time(int(found[1]), 0, f"{found[2].lower()}m")
        )
    dotted = {"ita": (_DOTTED, _AT), "spa": (_DOTTED,), "deu": (_UHR,)}.get(grammar.language, ())
    for pattern in (_WITH_H, *dotted):
        for found in scan.found(pattern):
            minutes = found[2] or (found[3] if found.re.groups > 2 else None) or 0
            scan.claim(*found.span(), grammar.time(int(found[1]), int(minutes)))


def _clock(half_day: str) -> str:
    """Regular expression of hours, minutes and seconds with colons, and of what stands behind them."""
    return (
        rf"(?:{NOT_INSIDE}|(?<=\dT))([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?{half_day}?"
        rf"(?:{SPACE}(?:Uhr|hs?|hrs?|horas|ore|heures)\b\.?)?(?![\w]|:\d)"
    )


def _before_stop(text: str, found: re.Match[str]) -> int:
    """The end of a time; the full stop of "p.m." ends the sentence too at the end of the text or before a capital."""
    end = found.end()
    if found[0].endswith(".") and re.match(r"\s*(?:\Z|\s[A-ZÀ-Þ¿¡\"“«])", text[end : end + 4]):
        return end - 1
    return end
