"""What a text says about whether its speaker goes on: hashed features of its last words, for small linear models."""

from __future__ import annotations

import re
import zlib

from speech.text.normalize import plain_text

LONGEST = 400
"""Characters of the end of a text that are read; what lies before does not count."""
_LAST_WORDS = 12
_SUFFIXES = range(2, 9)
"""Lengths of ends in characters."""
_LENGTHS = (1, 2, 3, 4, 6, 9, 14)
"""Words of a sentence: upper bounds of classes."""
_BETWEEN = re.compile(r"[.!?…।؟]+[\"'»”’)\]]*\s+|[。！？｡]+")
"""What lies between sentences."""
_TRAILING = re.compile(r"[\W_]*\Z")
_MARKS = (("~", "…"), ("?", "?？؟;"), ("!", "!！"), (".", ".。।｡"), (",", ",،、，；:："), ("-", "-–—"))
"""A class of what ends texts, and its signs, of which ";" asks in Greek; the first class that has any is taken."""
_DENSE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Letters of scripts that have no spaces between words: each counts as a word."""


def final_mark(text: str) -> str:
    """The class of the punctuation that ends a text: one of `~?!.,-`, "~" for dots that leave it open; "" for none."""
    found = _TRAILING.search(text)
    signs = found[0] if found else ""
    if ".." in signs:
        return "~"
    return next((name for name, every in _MARKS if any(sign in signs for sign in every)), "")


def turn_features(text: str, language: str | None, buckets: int) -> list[int]:
    """Numbers of the features of a turn, each once, in ascending order.

    Args:
        text: what has been said so far, with the punctuation that a recogniser writes.
        language: ISO 639-3; None: unknown.
        buckets: a number is below it; features that share one are not told apart.
    """
    named = _names(text[-LONGEST:], language or "")
    return sorted({zlib.crc32(name.encode("utf-8", "surrogatepass")) % buckets for name in named})


def _words(text: str) -> list[str]:
    return _DENSE.sub(lambda found: f" {found[0]} ", plain_text(text)).split()


def _names(text: str, language: str) -> list[str]:
    mark = final_mark(text)
    sentences = [own for own in _BETWEEN.split(text) if own.strip()]
    words = _words(sentences[-1]) if sentences else []
    length = str(sum(len(words) > bound for bound in _LENGTHS))
    clause = re.split(r"[,;:،、，；：]\s*(?=\w)", sentences[-1])[-1] if sentences else ""
    names = [f"mark {mark}", f"length {length} {mark}", f"sentences {min(len(sentences), 3)} {mark} {length}"]
    if clause != (sentences[-1] if sentences else ""):
        names.append(f"clause {min(len(_words(clause)), 6)} {mark}")
    if language:
        names += [f"{language} {mark}", f"{language} length {length}"]
    if not words:
        return names
    return names + _word_names(words, mark, length, language)


def _word_names(words: list[str], mark: str, length: str, language: str) -> list[str]:
    last, pair, triple = words[-1], " ".join(words[-2:]), " ".join(words[-3:])
    ending = " " + " ".join(words[-_LAST_WORDS:])
    names = [
        f"1 {last}", f"1 {last} {mark}", f"1 {last} length {length}", f"2 {pair}", f"2 {pair} {mark}", f"3 {triple}",
        f"first {words[0]} {length}", f"first two {' '.join(words[:2])}", f"first two {' '.join(words[:2])} {length}",
        f"letters {min(len(last), 8)} {mark}", f"digits {last.isdigit()} {mark}",
    ]  # fmt: skip
    names += [f"end {ending[-count:]}" for count in _SUFFIXES if count <= len(ending)]
    names += [f"end {ending[-count:]} {mark}" for count in (2, 3, 4) if count <= len(ending)]
    names += [f"has {word}" for word in words[-_LAST_WORDS:-1]]
    if len(words) > 1:
        names.append(f"before {words[-2]}")
    if len(words) <= 4:
        names += [f"whole {' '.join(words)}", f"whole {' '.join(words)} {mark}"]
    if language:
        names += [f"{language} 1 {last}", f"{language} end {ending[-3:]}", f"{language} first {words[0]}"]
    return names
