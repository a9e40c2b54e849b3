"""Language tokens in vocabularies of translators: `fra_Latn` (NLLB), `__fr__` (M2M100), `>>fra<<` (OPUS-MT)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from speech.errors import LanguageError
from speech.text.languages import LANGUAGES, resolve

_PREFIXES = (re.compile(r"(?P<code>[a-z]{3})_(?P<script>[A-Z][a-z]{3})"), re.compile(r"__(?P<code>[a-z]{2,3})__"))
_TARGETS = (re.compile(r">>(?P<code>[a-z]{2,3})(_(?P<script>[A-Z][a-z]{3}))?<<"),)
_IN_OUR_TABLE = {
    "als": "sqi", "arb": "ara", "azj": "aze", "ekk": "est", "khk": "mon", "lvs": "lav", "npi": "nep", "ory": "ori",
    "pbt": "pus", "pes": "fas", "plt": "mlg", "swh": "swa", "uzn": "uzb", "ydd": "yid", "zsm": "msa",
}  # fmt: skip
"""Individual languages that translators name -> the macrolanguages in which they are counted here."""


def prefix_tokens(vocabulary: Iterable[str]) -> dict[str, str]:
    """Tokens that name source and target in multilingual models: ISO 639-3 code -> token."""
    return _tokens(vocabulary, _PREFIXES)


def target_tokens(vocabulary: Iterable[str]) -> dict[str, str]:
    """Tokens before the text that name its target, in OPUS-MT models of several targets: ISO 639-3 code -> token."""
    return _tokens(vocabulary, _TARGETS)


def _tokens(vocabulary: Iterable[str], patterns: Iterable[re.Pattern[str]]) -> dict[str, str]:
    """Languages that are not in the table of `speech.text.languages` are left out; of several scripts, the usual one
    counts."""
    found: dict[str, tuple[bool, str]] = {}
    for token in vocabulary:
        match = next((match for pattern in patterns if (match := pattern.fullmatch(token))), None)
        code = None if match is None else _code(match["code"])
        if match is None or code is None:
            continue
        usual = match.groupdict().get("script") in (None, LANGUAGES[code].script)
        if code not in found or (usual and not found[code][0]):
            found[code] = usual, token
    return {code: token for code, (_, token) in found.items()}


def _code(name: str) -> str | None:
    try:
        return resolve(_IN_OUR_TABLE.get(name, name)).code
    except LanguageError:
        return None
