"""Write down how words are pronounced, to train `recipes/tts/train_pronunciation.py` on:

    uv run --extra tts --group teachers python recipes/tts/teacher_pronunciations.py OUTPUT --language spa \\
        --texts /usr/share/help --handbook /usr/share/doc/debian-handbook/html --words /usr/share/dict/spanish

Writes OUTPUT/train.jsonl and dev.jsonl, a sentence or a single word per line, with the phonemes of each word; and
sources.json and a card with the sources and their licences. English is pronounced by the package hibari-tts, other
languages by eSpeak NG.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from handbook import SOURCE as HANDBOOK
from handbook import handbook_sentences
from help_pages import SOURCE as HELP
from help_pages import help_sentences
from phonemes import words_pronouncer
from rich.progress import track

from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.errors import ConfigError, DataError, SpeechError
from speech.files import check_writable, write_atomically
from speech.text.languages import resolve
from speech.train.pronunciation.batches import SOURCES
from speech.tts.pronunciation.pronunciation import Pronunciation
from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.spoken_form import SpokenForm

_DEV = 50
"""Every so many texts one is for dev, by a hash: the same one in every run."""
_TEACHERS = {"eng": ("hibari-tts", "Apache-2.0")}
_ESPEAK = "eSpeak NG", "GPL-3.0-or-later (a program; what it writes is not)"
_log = logging.getLogger(__name__)


def main(
    output: Annotated[Path, typer.Argument(help="Folder for train.jsonl, dev.jsonl and README.md.")],
    language: Annotated[str, typer.Option(help="Of the texts.")],
    texts: Annotated[Path | None, typer.Option(help="Help pages: usr/share/help of gnome-user-docs.")] = None,
    handbook: Annotated[Path | None, typer.Option(help="html/ of Debian's package debian-handbook.")] = None,
    words: Annotated[Path | None, typer.Option(help="A list of words, one per line.")] = None,
    most_words: Annotated[int, typer.Option(help="Of that list, drawn by chance.", min=1)] = 30000,
    seed: Annotated[int, typer.Option(help="Of this draw.", min=0)] = 0,
) -> None:
    """Write down how words are pronounced."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    code = resolve(language).code
    check_writable(output)
    found: list[str] = []
    sources = [_TEACHERS.get(code, _ESPEAK)]
    if texts is not None:
        found += help_sentences(texts, code)
        sources.append(HELP)
    if handbook is not None:
        found += handbook_sentences(handbook, code)
        sources.append(HANDBOOK)
    if words is not None:
        found += _drawn(words, most_words, seed)
        sources.append((f"words: {words.name}", "see its package"))
    if not found:
        raise ConfigError("no text is given", fix="Give --texts, --handbook or --words.")
    lines: dict[str, list[str]] = {"train": [], "dev": []}
    pronounce = words_pronouncer(code)
    for text in track(dict.fromkeys(found), "pronouncing", console=stderr(), transient=True):
        for part, line in _lines(text, code, pronounce):
            lines[part].append(line)
    for part, own in lines.items():
        write_atomically(output / f"{part}.jsonl", "".join(own))
    write_atomically(output / SOURCES, json.dumps(sources, ensure_ascii=False, indent=1) + "\n")
    write_atomically(output / "README.md", card(code, sources, {part: len(own) for part, own in lines.items()}))
    stdout().print(f"{output}: {len(lines['train'])} texts to train on, {len(lines['dev'])} for dev")


def _drawn(path: Path, most: int, seed: int) -> list[str]:
    """Words of a list without digits, of two letters or more.

    Raises:
        DataError: if the file cannot be read, or has none.
    """
    try:
        lines = path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"it is no list of words: {error}", where=str(path)) from error
    known = [word for word in dict.fromkeys(lines) if len(word) > 1 and word.replace("'", "").isalpha()]
    if not known:
        raise DataError("it has no words", where=str(path))
    order = np.random.default_rng(seed).permutation(len(known))[:most]
    return [known[int(n)] for n in order]


def _lines(text: str, language: str, pronounce: Callable[[SpokenForm], Pronunciation]) -> Iterator[tuple[str, str]]:
    """A part and a line of it, or nothing if the text cannot be spoken."""
    try:
        spoken = normalise(text, language)
        said = pronounce(spoken)
    except SpeechError as error:
        _log.warning("%s: %s", text, error)
        return
    symbols = [said.symbols[start:end] for start, end in said.words]
    if symbols and all(symbols):
        place = int(hashlib.sha256(text.encode()).hexdigest(), 16) % _DEV
        record = {"lang": language, "words": [word.text for word in spoken.words], "symbols": symbols}
        yield "train" if place else "dev", json.dumps(record, ensure_ascii=False) + "\n"


def card(language: str, sources: Iterable[tuple[str, str]], sizes: dict[str, Any]) -> str:
    """The card in Markdown: sources and licences."""
    counts = ", ".join(f"{count} in {part}" for part, count in sizes.items())
    rows: Sequence[str] = [f"| {source} | {licence} |" for source, licence in sources]
    lines = [f"# Pronunciations in {language}", "", f"Texts: {counts}.", "", "| source | licence |", "|---|---|", *rows]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    start_command(main)
