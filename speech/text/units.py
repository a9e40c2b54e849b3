"""Units of error rates: words, characters, or both in texts of mixed scripts."""

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


class UnitKind(StrEnum):
    """Unit that an error rate counts."""

    wer = "wer"
    """Words, separated by spaces."""
    cer = "cer"
    """Characters, without spaces."""
    mer = "mer"
    """Mixed: characters in scripts written without spaces, words in all others (as for SEAME and ASRU 2019)."""
    auto = "auto"
    """By script of the reference: `cer` if all is written without spaces, `wer` if nothing is, `mer` if mixed."""
    paper = "paper"
    """By language, as published for SAER: `cer` for Chinese, Cantonese, Japanese, Korean; otherwise `wer`."""


def resolve_unit_kind(kind: UnitKind, reference: str, language: str | None = None) -> UnitKind:
    """Resolve a kind to `wer`, `cer` or `mer` for a reference.

    Args:
        reference: output of `plain_text`.
        language: main language of the utterance, ISO 639-3; used by `paper`.
    """
    if kind == UnitKind.paper:
        return UnitKind.cer if language and resolve(language).code in _PUBLISHED_BY_CHARACTER else UnitKind.wer
    if kind != UnitKind.auto:
        return kind
    if not is_mixed(reference):
        return UnitKind.wer
    return UnitKind.mer if _SPACED.search(reference) else UnitKind.cer


def is_mixed(plain: str) -> bool:
    """Whether a text's mixed units differ from its words, i.e. it has characters of scripts without spaces."""
    return not plain.isascii() and _SPACELESS.search(plain) is not None


def units(plain: str, kind: UnitKind) -> list[str]:
    """Split a text, normalised by `plain_text`, into units.

    Args:
        kind: `wer`, `cer` or `mer`.

    Raises:
        ValueError: for a kind that depends on the reference; resolve it with `resolve_unit_kind` first.
    """
    match kind:
        case UnitKind.wer:
            return plain.split()
        case UnitKind.cer:
            return list(plain.replace(" ", ""))
        case UnitKind.mer:
            return _MIXED.findall(plain) if is_mixed(plain) else plain.split()
    raise ValueError(f"units of kind {kind.value!r}, expected wer, cer or mer")
