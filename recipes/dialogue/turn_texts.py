"""Collect texts of turns: `python recipes/dialogue/turn_texts.py OUTPUT --corpus DIR --pages DIR --handbook DIR`.

Complete sentences are those of a corpus's transcripts and their translations, of GNOME's help pages (`usr/share/help`
of Debian's package gnome-user-docs), and of the Debian Administrator's Handbook (`usr/share/doc/debian-handbook/html`
of its package). `phrases/` adds what people say to assistants, complete or broken off. OUTPUT gets train.jsonl,
dev.jsonl and test.jsonl: those of the corpus as its parts are, of sentences one in twenty for dev and test each, of
phrases one in six. A text that occurs twice stays in one part. fillers.json tells what is said while somebody
thinks, sources.json names and licences.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from speech.cli.console import stdout
from speech.cli.recipe import start_command
from speech.data.manifest import read_manifest
from speech.files import check_writable, read_text, write_atomically
from speech.train.end_of_turn.batches import FILLERS, PHRASES_SOURCE
from speech.train.end_of_turn.cuts import ends_openly
from speech.train.end_of_turn.turns import WrittenTurn, write_turns
from speech.train.pronunciation.batches import SOURCES

sys.path.append(str(Path(__file__).parents[1] / "tts"))
import handbook as handbook_pages
import help_pages

PARTS = ("train", "dev", "test")
PHRASES = Path(__file__).with_name("phrases")
FILLER = "~ "
"""Begins lines of phrases that are said while somebody thinks."""
HELP = ("cat", "ces", "cmn", "dan", "deu", "ell", "eng", "fin", "fra", "hun", "ita", "jpn", "kor", "nld", "pol", "por",
        "ron", "rus", "spa", "swe", "tur", "ukr")  # fmt: skip
HANDBOOK = ("deu", "eng", "fra", "ita", "por", "spa")
_OPEN = re.compile(r"\s*(?:\.\.\.|…)$")
_SENTENCES, _PHRASES = 20, 6
"""One of so many texts is for dev, one for test."""
_OWN = PHRASES_SOURCE, "Apache-2.0"


def main(
    output: Annotated[Path, typer.Argument(help="Folder to write to.")],
    corpus: Annotated[Path | None, typer.Option(help="Folder with the manifests of a corpus.")] = None,
    pages: Annotated[Path | None, typer.Option(help="Folder of help pages.")] = None,
    handbook: Annotated[Path | None, typer.Option(help="Folder of the handbook's pages.")] = None,
    most: Annotated[int, typer.Option(help="Sentences of each language in help pages, and in the handbook.")] = 4000,
) -> None:
    """Collect texts of turns."""
    check_writable(output.absolute().parent)
    known: dict[tuple[str, str], str] = {}
    found: dict[str, list[WrittenTurn]] = {part: [] for part in PARTS}
    for part, turn in chain(of_corpus(corpus), of_pages(pages, handbook, most), of_phrases(PHRASES)):
        key = turn.language, turn.text.casefold()
        if known.setdefault(key, part) == part and turn.text.strip():
            found[part].append(turn)
    output.mkdir(exist_ok=True)
    for part, turns in found.items():
        each = list(dict.fromkeys(turn._replace(id="") for turn in turns))
        write_turns(output / f"{part}.jsonl", (own._replace(id=f"{part}-{n}") for n, own in enumerate(each)))
        stdout().print(f"{output / part}.jsonl: {len(each)} texts", markup=False)
    write_atomically(output / FILLERS, json.dumps(fillers(PHRASES), ensure_ascii=False, indent=1) + "\n")
    write_atomically(output / SOURCES, json.dumps(sources(corpus, pages, handbook), indent=1) + "\n")


def sources(corpus: Path | None, pages: Path | None, handbook: Path | None) -> list[tuple[str, str]]:
    """Names and licences of the texts."""
    found = {_OWN}
    if corpus is not None:
        found |= {(own.source, own.licence) for own in read_manifest(corpus / "train.jsonl", corpus)}
    found |= {help_pages.SOURCE} if pages is not None else set()
    found |= {handbook_pages.SOURCE} if handbook is not None else set()
    return sorted(found)


def fillers(folder: Path) -> dict[str, list[str]]:
    """What is said while somebody thinks, by language."""
    return {path.stem: [line.removeprefix(FILLER) for line in _lines(path) if line.startswith(FILLER)]
            for path in sorted(folder.glob("*.txt"))}  # fmt: skip


def of_corpus(folder: Path | None) -> Iterator[tuple[str, WrittenTurn]]:
    """Texts of utterances and their translations; those of the test part first."""
    for part in reversed(PARTS) if folder is not None else ():
        assert folder is not None
        for own in read_manifest(folder / f"{part}.jsonl", folder):
            for code, text in sorted({**own.translations, own.language: own.text}.items()):
                if not ends_openly(text):
                    yield part, WrittenTurn(own.id, code, text.strip(), True, own.source)


def of_pages(pages: Path | None, handbook: Path | None, most: int) -> Iterator[tuple[str, WrittenTurn]]:
    """Sentences of help pages and of the handbook, at most so many of each language, evenly from all."""
    for code in HELP if pages is not None else ():
        assert pages is not None
        yield from _parted(code, evenly(help_pages.help_sentences(pages, code), most), help_pages.SOURCE[0])
    for code in HANDBOOK if handbook is not None else ():
        assert handbook is not None
        every = evenly(handbook_pages.handbook_sentences(handbook, code), most)
        yield from _parted(code, every, handbook_pages.SOURCE[0])


def of_phrases(folder: Path) -> Iterator[tuple[str, WrittenTurn]]:
    """Phrases: those that end with dots are broken off."""
    for path in sorted(folder.glob("*.txt")):
        own = [line for line in _lines(path) if not line.startswith(FILLER)]
        yield from _parted(path.stem, own, PHRASES_SOURCE, _PHRASES)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_text(path).split("\n") if line.strip()]


def _parted(code: str, texts: Iterable[str], source: str, share: int = _SENTENCES) -> Iterator[tuple[str, WrittenTurn]]:
    for text in texts:
        finished = not _OPEN.search(text)
        if finished and ends_openly(text):
            continue
        number = zlib.crc32(text.encode()) % share
        part = {0: "dev", 1: "test"}.get(number, "train")
        yield part, WrittenTurn("", code, text if finished else _OPEN.sub("", text), finished, source)


def evenly(texts: list[str], most: int) -> list[str]:
    """At most so many of the texts, from everywhere."""
    return texts[:: -(-len(texts) // most)] if texts else []


if __name__ == "__main__":
    start_command(main)
