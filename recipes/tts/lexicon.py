"""Write the English lexicon beside a pronunciation model, from the lexica of misaki in the package hibari-tts:

    uv run --group teachers python recipes/tts/lexicon.py speech/assets/pronunciation/english_lexicon.gz

Every word of misaki's hand-checked lexicon is kept, and of its other one the forms of these words. Words that sound
otherwise by part of speech, or have no primary stress in it, get no phonemes: the network reads them.
Regular forms are left out where the rules give the same phonemes. The same lexica give the same bytes.
"""

from __future__ import annotations

import gzip
import importlib.resources
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from phonemes import installed

from speech.cli.console import stdout
from speech.cli.recipe import start_command
from speech.errors import DataError
from speech.tts.pronunciation.english_inflection import inflected
from speech.tts.pronunciation.lexicon import write_lexicon

REDUCED = frozenset("a am an by i in the to used vs".split())
"""Words that the teacher says otherwise before some words."""
INITIALS = ("IT", "US")
"""Acronyms that are words of a sentence in small letters: the lexica have these only."""
_SAID_AS = str.maketrans({"ɾ": "T", "ʔ": "t"})
"""misaki's phonemes to those that voices are taught."""
_ENDING = re.compile(r"(?:es|s|ed|er|est|ing)$")
_SPOKEN = re.compile(r"[^\W\d_](?:.*[^\W\d_])?")
_STRESS = "ˈ"

Said = str | Mapping[str, str | None]
"""Phonemes, or those of each part of speech, None where letters are read."""


def main(output: Annotated[Path, typer.Argument(help="File to write.")]) -> None:
    """Write the English lexicon."""
    assets = importlib.resources.files(installed("hibari")) / "assets"
    gold, silver = (_read(assets / f"lexicon_us_{name}.json.gz") for name in ("gold", "silver"))
    entries = chosen(gold, silver)
    write_lexicon(output, entries)
    network = sum(not said for said in entries.values())
    stdout().print(f"{output}: {len(entries)} words, {network} of them for the network", markup=False)


def chosen(gold: Mapping[str, Said], silver: Mapping[str, Said]) -> dict[str, str]:
    """The words of both lexica that are kept, and their phonemes; none for those that the network reads."""
    forms = {word: said for word, said in silver.items() if word not in gold and _is_form(word, gold)}
    every = {word: _certain(word, said) for word, said in {**forms, **gold}.items() if _SPOKEN.fullmatch(word)}
    every |= {word: _letters(word, gold) for word in INITIALS if set(word) <= gold.keys()}
    return _without_regular(every)


def _is_form(word: str, gold: Mapping[str, Said]) -> bool:
    short = _ENDING.sub("", word)
    stems = {short, short + "e", re.sub(r"i$", "y", short), re.sub(r"(.)\1$", r"\1", short)} - {word}
    return short != word and not stems.isdisjoint(gold)


def _certain(word: str, said: Said) -> str:
    """Phonemes of a word that sounds alike in every sentence; otherwise none."""
    readings = {said} if isinstance(said, str) else set(said.values())
    [own, *others] = readings
    if own is None or others:
        return ""
    if len(word) > 1 and (word.lower() in REDUCED or _STRESS not in own):
        return ""
    return own.translate(_SAID_AS)


def _letters(word: str, gold: Mapping[str, Said]) -> str:
    """Names of two letters, the second stressed."""
    first, last = (str(gold[letter]).translate(_SAID_AS) for letter in word)
    return first.replace("ˈ", "ˌ") + last


def _without_regular(every: Mapping[str, str]) -> dict[str, str]:
    """Only what the rules do not give, or another way to write the word in capitals gives."""
    kept: dict[str, str] = {}

    def entry(word: str) -> str | None:
        return kept.get(word, kept.get(_other_case(word)))

    for word in sorted(every, key=lambda own: (len(own), own)):  # stems are shorter than their forms
        said, other = every[word], _other_case(word)
        if every.get(other, said) == said:
            written_small = other != word and other in every and other.islower()
            if written_small or inflected(word, entry) == said:
                continue
        kept[word] = said
    return kept


def _other_case(word: str) -> str:
    """A word as it begins a sentence, or a name in small letters; other words as they are."""
    if word.islower():
        return word.capitalize()
    return word.lower() if word[1:].islower() else word


def _read(path: Any) -> dict[str, Said]:
    try:
        found = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"it is no lexicon: {error}", where=str(path)) from error
    return dict(found)


if __name__ == "__main__":
    start_command(main)
