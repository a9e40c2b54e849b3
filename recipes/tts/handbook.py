"""Sentences of the Debian Administrator's Handbook in several languages (Debian's package `debian-handbook`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from help_pages import own_sentences, parsed, sentences_of

from speech.errors import DataError

SOURCE = "Debian Administrator's Handbook", "CC-BY-SA-3.0 or GPL-2.0-or-later"
_FOLDERS = {"deu": "de-DE", "eng": "en-US", "fra": "fr-FR", "ita": "it-IT", "por": "pt-BR", "spa": "es-ES"}
_BLOCK = "{http://www.w3.org/1999/xhtml}div"
_PARAGRAPH = "para"


def handbook_sentences(folder: Path, language: str) -> list[str]:
    """Sentences of the pages below `folder/LANGUAGE`, each once; sentences that the English pages have too, which are
    not translated, are left out.

    Raises:
        DataError: if there are none in the language.
    """
    own = folder / _FOLDERS.get(language, language)
    found = own_sentences(_read, own, folder / _FOLDERS["eng"], language)
    if not found:
        fix = "Give the folder usr/share/doc/debian-handbook/html of Debian's package debian-handbook."
        raise DataError(f"there is no handbook in {language!r}", where=str(own), fix=fix)
    return found


def _read(folder: Path, language: str) -> Iterator[str]:
    for path in sorted(folder.glob("*.html")):
        for block in parsed(path, "page of the handbook").iter(_BLOCK):
            if block.get("class") == _PARAGRAPH:
                yield from sentences_of(block, language)
