"""Sentences of translated help pages: GNOME's user documentation as Debian's package `gnome-user-docs` carries it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from speech.errors import DataError
from speech.tts.text_front_end.sentences import sentences

SOURCE = "GNOME user documentation", "CC-BY-SA-3.0"
_FOLDERS = {
    "cat": "ca", "ces": "cs", "cmn": "zh_CN", "dan": "da", "deu": "de", "ell": "el", "eng": "C", "fin": "fi",
    "fra": "fr", "hun": "hu", "ita": "it", "jpn": "ja", "kor": "ko", "nld": "nl", "pol": "pl", "por": "pt_BR",
    "ron": "ro", "rus": "ru", "spa": "es", "swe": "sv", "tur": "tr", "ukr": "uk",
}  # fmt: skip
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
    own = folder / _FOLDERS.get(language, language)
    found = own_sentences(_read, own, folder / _FOLDERS["eng"], language)
    if not found:
        fix = "Give the folder usr/share/help of Debian's package gnome-user-docs."
        raise DataError(f"there are no help pages in {language!r}", where=str(own), fix=fix)
    return found


def own_sentences(read: Callable[[Path, str], Iterator[str]], folder: Path, english: Path, language: str) -> list[str]:
    """What `read` finds in a language's folder, each once, without what the folder in English has as well."""
    known = set(read(english, "eng")) if language != "eng" else set()
    return list(dict.fromkeys(text for text in read(folder, language) if text not in known))


def parsed(path: Path, what: str) -> ElementTree.ElementTree[ElementTree.Element]:
    """The XML of a page.

    Raises:
        DataError: if it is not `what`.
    """
    try:
        return ElementTree.parse(path)
    except ElementTree.ParseError as error:
        raise DataError(f"it is no {what}: {error}", where=str(path)) from error


def sentences_of(paragraph: ElementTree.Element, language: str) -> Iterator[str]:
    """The well-formed sentences of a paragraph."""
    text = " ".join("".join(paragraph.itertext()).split())
    yield from (one.text.strip() for one in sentences(text, language) if _well_formed(one.text.strip()))


def _read(folder: Path, language: str) -> Iterator[str]:
    for path in sorted(folder.rglob("*.page")):
        for paragraph in parsed(path, "help page").iter(_PARAGRAPHS):
            yield from sentences_of(paragraph, language)


def _well_formed(text: str) -> bool:
    """Whether a sentence is of a usual length and mostly letters."""
    least, most = _LENGTHS
    signs = [unicodedata.category(sign)[0] for sign in text if not sign.isspace()]
    return least <= len(text) <= most and sum(sign in "LM" for sign in signs) >= _LETTERS * len(signs)
