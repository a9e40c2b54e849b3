"""Sentences of translated help pages: GNOME's user documentation as Debian's package `gnome-user-docs` carries it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from speech.errors import DataError
from speech.tts.text_front_end.sentences import sentences

SOURCE = "GNOME user documentation", "CC-BY-SA-3.0"
_FOLDERS = {"deu": "de", "eng": "C", "fra": "fr", "ita": "it", "por": "pt_BR", "spa": "es"}
_PARAGRAPHS = "{http://projectmallard.org/1.0/}p"
_LENGTHS = 12, 220
"""Minimum and maximum characters of a sentence."""
_LETTERS = 0.7


def help_sentences(folder: Path, language: str) -> list[str]:
    """Sentences of the help pages below `folder/LANGUAGE`, each once, in the order of the pages.

    Pages that are not translated are in English: sentences that the English pages have too are left out.

    Raises:
        DataError: if there are none in the language.
    """
    english = set(_read(folder / _FOLDERS["eng"], "eng")) if language != "eng" else set()
    own = folder / _FOLDERS.get(language, language)
    found = [text for text in _read(own, language) if text not in english]
    if not found:
        fix = "Give the folder usr/share/help of Debian's package gnome-user-docs."
        raise DataError(f"there are no help pages in {language!r}", where=str(own), fix=fix)
    return list(dict.fromkeys(found))


def _read(folder: Path, language: str) -> Iterator[str]:
    for path in sorted(folder.rglob("*.page")):
        try:
            page = ElementTree.parse(path)
        except ElementTree.ParseError as error:
            raise DataError(f"it is no help page: {error}", where=str(path)) from error
        for paragraph in page.iter(_PARAGRAPHS):
            text = " ".join("".join(paragraph.itertext()).split())
            yield from (one.text.strip() for one in sentences(text, language) if well_formed(one.text.strip()))


def well_formed(text: str) -> bool:
    """Whether a sentence is of a usual length and mostly letters."""
    least, most = _LENGTHS
    signs = [unicodedata.category(sign)[0] for sign in text if not sign.isspace()]
    return least <= len(text) <= most and sum(sign in "LM" for sign in signs) >= _LETTERS * len(signs)
