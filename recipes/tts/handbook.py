"""Sentences of the Debian Administrator's Handbook in several languages (Debian's package `debian-handbook`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from help_pages import well_formed

from speech.errors import DataError
from speech.tts.text_front_end.sentences import sentences

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
    english = set(_read(folder / _FOLDERS["eng"], "eng")) if language != "eng" else set()
    own = folder / _FOLDERS.get(language, language)
    found = [text for text in _read(own, language) if text not in english]
    if not found:
        fix = "Give the folder usr/share/doc/debian-handbook/html of Debian's package debian-handbook."
        raise DataError(f"there is no handbook in {language!r}", where=str(own), fix=fix)
    return list(dict.fromkeys(found))


def _read(folder: Path, language: str) -> Iterator[str]:
    for path in sorted(folder.glob("*.html")):
        try:
            page = ElementTree.parse(path)
        except ElementTree.ParseError as error:
            raise DataError(f"it is no page of the handbook: {error}", where=str(path)) from error
        for block in page.iter(_BLOCK):
            if block.get("class") == _PARAGRAPH:
                text = " ".join("".join(block.itertext()).split())
                yield from (one.text.strip() for one in sentences(text, language) if well_formed(one.text.strip()))
