"""What an error rate counts: words, characters, or both where scripts are mixed."""

from __future__ import annotations

import re
from enum import StrEnum

from speech.text.languages import resolve

_ONE_BY_ONE = (
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han, Kana
    "\u0e00-\u0e7f\u0e80-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer
)
_MIXED = re.compile(rf"[{_ONE_BY_ONE}]|[^\s{_ONE_BY_ONE}]+")
_SPACELESS = re.compile(rf"[{_ONE_BY_ONE}]")
_SPACED = re.compile(rf"[^\s{_ONE_BY_ONE}]")
_PUBLISHED_BY_CHARACTER = frozenset({"cmn", "yue", "jpn", "kor"})


class Form(StrEnum):
    """What is counted."""

    wer = "wer"
    """Words: what stands between spaces."""
    cer = "cer"
    """Characters, spaces not."""
    mer = "mer"
    """Characters of scripts that are written without spaces, words of all others (as for SEAME and ASRU 2019)."""
    auto = "auto"
    """`cer` for a reference in such scripts only, `wer` for one in others only, `mer` for one in both."""
    paper = "paper"
    """By the language, as SAER was published: `cer` for Chinese, Cantonese, Japanese, Korean; otherwise `wer`."""


def form_of(form: Form, reference: str, language: str | None = None) -> Form:
    """Which of the first three a form is for a reference.

    Args:
        reference: as `plain_text` makes it.
        language: that the utterance is in, or mostly in; ISO 639-3. For `paper`.
    """
    if form == Form.paper:
        return Form.cer if language and resolve(language).code in _PUBLISHED_BY_CHARACTER else Form.wer
    if form != Form.auto:
        return form
    if not is_mixed(reference):
        return Form.wer
    return Form.mer if _SPACED.search(reference) else Form.cer


def is_mixed(plain: str) -> bool:
    """Whether mixed units of a text are others than its words."""
    return not plain.isascii() and _SPACELESS.search(plain) is not None


def units(plain: str, form: Form) -> list[str]:
    """The units of a text, as `plain_text` makes it.

    Args:
        form: `wer`, `cer` or `mer`.

    Raises:
        ValueError: for a form that depends on the reference; `form_of` says what it is.
    """
    match form:
        case Form.wer:
            return plain.split()
        case Form.cer:
            return list(plain.replace(" ", ""))
        case Form.mer:
            return _MIXED.findall(plain) if is_mixed(plain) else plain.split()
    raise ValueError(f"units of form {form.value!r}, expected wer, cer or mer")
