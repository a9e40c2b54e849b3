"""Languages: ISO 639-3 codes, names, scripts, and whether words are separated by spaces."""

from __future__ import annotations

from dataclasses import dataclass

from rapidfuzz import process

from speech.errors import LanguageError
from speech.text.language_table import ALIASES, ROWS

ENGLISH = "eng"

_WITHOUT_SPACES = {"cmn", "yue", "nan", "jpn", "tha", "lao", "khm", "mya", "bod"}


@dataclass(frozen=True, slots=True)
class LanguageInfo:
    """A language known to this package; each model supports some of them."""

    code: str
    """ISO 639-3."""
    alpha2: str
    """ISO 639-1, empty if there is none."""
    name: str
    """English name."""
    native: str
    """Name in the language itself."""
    script: str
    """ISO 15924."""
    spaces: bool
    """Whether words are separated by spaces; otherwise characters are scored."""


LANGUAGES: dict[str, LanguageInfo] = {row[0]: LanguageInfo(*row, spaces=row[0] not in _WITHOUT_SPACES) for row in ROWS}

_BY_NAME: dict[str, str] = {
    **{language.native.lower(): code for code, language in LANGUAGES.items()},
    **{language.name.lower(): code for code, language in LANGUAGES.items()},
    **{language.alpha2: code for code, language in LANGUAGES.items() if language.alpha2},
    **ALIASES,
    **{code: code for code in LANGUAGES},
}


def resolve(name: str) -> LanguageInfo:
    """Look up a language by ISO 639-3 or ISO 639-1 code, English or native name, or common alias; case is ignored.

    Raises:
        LanguageError: if the name is unknown; suggests the nearest known names.
    """
    key = name.strip().lower().replace("_", "-")
    code = _BY_NAME.get(key) or _BY_NAME.get(key.split("-")[0] if len(key.split("-")[0]) in (2, 3) else key)
    if code is None:
        near = [match for match, *_ in process.extract(key, list(_BY_NAME), limit=3, score_cutoff=60)]
        hint = f"Did you mean {', '.join(repr(n) for n in near)}?" if near else "Use an ISO 639-3 code such as 'eng'."
        raise LanguageError(f"{name!r} is not a known language", fix=hint)
    return LANGUAGES[code]
