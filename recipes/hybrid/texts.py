"""Texts for synthesis: translations of a corpus, and Django's messages, in languages that the corpus may lack."""

from __future__ import annotations

import importlib.util
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from espeak import GROUP

from speech.data.manifest import Utterance
from speech.errors import ConfigError, LanguageError
from speech.text.languages import LANGUAGES, resolve

DJANGO = "Django's messages", "BSD-3-Clause"
_VARIANTS = {"zh_Hans": "cmn", "pt_BR": "por", "nb": "nor"}
"""Django folders whose names are not language codes; other names with an underscore are left out."""
_MARKUP = re.compile(r"[%{}<>@_/\\|#=*\n]|\w\.\w")
_HAN = re.compile(r"[\u3400-\u9fff々]")
_LETTERS = 0.7
_LENGTHS, _DENSE_LENGTHS = (12, 160), (5, 60)
"""Minimum and maximum characters of a sentence, with and without spaces in the script."""


class Sentence(NamedTuple):
    """A text with its English translation."""

    language: str
    """ISO 639-3."""
    text: str
    english: str | None
    source: str
    licence: str


def of_corpus(utterances: Iterable[Utterance]) -> Iterator[Sentence]:
    """The texts of utterances and their translations."""
    for utterance in utterances:
        texts = {**utterance.translations, utterance.language: utterance.text}
        english = texts.get("eng")
        for code, text in sorted(texts.items()):
            yield Sentence(code, text, None if code == "eng" else english, utterance.source, utterance.licence)


def of_django() -> Iterator[Sentence]:
    """Django's messages in all languages into which they are translated.

    Raises:
        ConfigError: if Django is not installed.
    """
    found = importlib.util.find_spec("django")
    if found is None or found.origin is None:
        raise ConfigError("the package django, whose messages are spoken, is not installed", fix=GROUP)
    for path in sorted(Path(found.origin).parent.rglob("LC_MESSAGES/django.mo")):
        name = path.parent.parent.name
        try:
            code = _VARIANTS.get(name) or resolve("none" if "_" in name else name).code
        except LanguageError:
            continue
        for english, text in messages(path.read_bytes()):
            if "\x04" not in english and "\0" not in english and text != english and not _MARKUP.search(english):
                yield Sentence(code, text, english, *DJANGO)


def messages(data: bytes) -> Iterator[tuple[str, str]]:
    """Texts and their translations from a compiled gettext catalogue (.mo)."""
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, *tables = struct.unpack_from(f"{order}3I", data, 8)
    for place in range(count):
        spans = [struct.unpack_from(f"{order}2I", data, table + 8 * place) for table in tables]
        text, translation = (data[start : start + length].decode("utf-8") for length, start in spans)
        if text:
            yield text, translation


def speakable(sentences: Iterable[Sentence], languages: Iterable[str]) -> dict[str, list[Sentence]]:
    """Group sentences by language, each text once, in their order. Keeps those of moderate length, mostly letters, in
    characters that the synthesizer can read."""
    wanted: dict[str, dict[str, Sentence]] = {code: {} for code in languages}
    for sentence in sentences:
        if sentence.language not in wanted:
            continue
        text = " ".join(sentence.text.split())
        if _good(text, sentence.language):
            wanted[sentence.language].setdefault(text, sentence._replace(text=text))
    return {code: list(found.values()) for code, found in wanted.items()}


def _good(text: str, language: str) -> bool:
    spaces = LANGUAGES[language].spaces
    least, most = _LENGTHS if spaces else _DENSE_LENGTHS
    if not least <= len(text) <= most or (spaces and len(text.split()) < 3) or _MARKUP.search(text):
        return False
    if language == "jpn" and _HAN.search(text):  # eSpeak NG reads only kana
        return False
    signs = [unicodedata.category(sign)[0] for sign in text if not sign.isspace()]
    return sum(sign in "LM" for sign in signs) >= _LETTERS * len(signs)
