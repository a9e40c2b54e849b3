"""URLs, e-mail addresses, domains and names of files, piece by piece."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from speech.tts.text_front_end.grammar import Grammar
from speech.tts.text_front_end.quantity import ascii_digits
from speech.tts.text_front_end.rules.numbers import numeral_in_words
from speech.tts.text_front_end.scanning import Language, Scan

_DOMAINS = (
    "com|org|net|edu|gov|info|io|ai|app|dev|eu|uk|us|de|at|ch|fr|be|es|it|pt|br|mx|ar|co|tv|me|int|"
    "pdf|txt|docx?|xlsx?|csv|json|xml|html?|jpe?g|png|gif|mp3|mp4|wav|flac|zip|py|md|ya?ml"
)
_HOST = r"(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.)+[^\W\d_]{2,24}"
_ADDRESS = re.compile(
    rf"(?<![\w@.])(?:"
    rf"(?:https?|ftp)://[^\s<>\"'«»“”()]+"
    rf"|www\.[^\s<>\"'«»“”()]+"
    rf"|[\w.+-]{{1,64}}@{_HOST}"
    rf"|(?:[^\W_](?:[\w-]{{0,62}}[^\W_])?\.){{1,5}}(?:{_DOMAINS})(?:/[^\s<>\"'«»“”()]*)?(?![\w@])"
    rf")"
)
_SCHEME = re.compile(r"(?:https?|ftp)://")


def addresses(scan: Scan, language: Language) -> None:
    """Claim addresses: their words as they are, symbols by name, digits one by one."""
    grammar = language.grammar
    for found in scan.found(_ADDRESS):
        address = found[0].rstrip(".,;:!?-")
        if len(address) < 4:
            continue
        scheme = _SCHEME.match(address)
        offset = found.start() + (scheme.end() if scheme else 0)
        body = address[scheme.end() :].rstrip("/") if scheme else address.rstrip("/")
        if not body:
            continue
        end = found.start() + len(address)
        pieces = [(start, _said(piece, grammar)) for start, piece in _pieces(body)]
        for number, (start, spoken) in enumerate(pieces):
            first = found.start() if number == 0 else offset + start
            behind = offset + pieces[number + 1][0] if number + 1 < len(pieces) else end
            scan.claim(first, behind, spoken)


def _pieces(address: str) -> Iterator[tuple[int, str]]:
    """Runs of letters, runs of digits and single other characters, with their places."""
    start = 0
    for _, group in groupby(enumerate(address), key=lambda one: _kind(*one)):
        piece = "".join(character for _, character in group)
        yield start, piece
        start += len(piece)


def _kind(number: int, character: str) -> str:
    if character.isdecimal():
        return "digits"
    return "letters" if unicodedata.category(character)[0] in "LM" else str(number)


def _said(piece: str, grammar: Grammar) -> str:
    if piece.isdecimal():
        return grammar.digits(ascii_digits(piece))
    if piece.lower() == "www":
        return "w w w"
    if unicodedata.category(piece[0])[0] in "LM":
        return piece
    if unicodedata.category(piece)[0] == "N":
        return numeral_in_words(piece, grammar)
    return grammar.words.symbols.get(piece, "")
