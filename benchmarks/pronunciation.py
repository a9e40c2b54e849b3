"""Errors and speed of a pronunciation model, beside the program espeak-ng in the same run.

    python benchmarks/pronunciation.py MODEL CORPUS... --output benchmarks/results/pronunciation.json

CORPUS is a folder of `recipes/tts/teacher_pronunciations.py`. Its dev.jsonl has sentences, and single words that were
drawn from a list; of these, unseen ones occur nowhere in its train.jsonl. What counts as right is what the teacher of
the corpus wrote: hibari-tts in English, espeak-ng in other languages, so that espeak-ng can only be compared in
English, where the network is measured without its lexicon, too. Errors are substitutions, deletions and insertions of
phonemes (stress marks included) over the teacher's, and the share of words with any. Times are the median of a
sentence, wall clock, one thread; espeak-ng is a process per
sentence, as `speech.tts.pronunciation.espeak` runs it. Where the program is installed, the words of
`benchmarks/sentences/` that both say alike are counted, too: texts of another kind than those trained on.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from rich.console import Console
from rich.table import Table
from speech_output import SENTENCES, sentences
from timing import machine

from speech.metrics.edit.alignment import count_errors
from speech.train.pronunciation.batches import PronouncedWords, read_pronunciations
from speech.tts.pronunciation.espeak import PROGRAM, EspeakPronouncer
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.pronunciation.lexicon import LEXICON
from speech.tts.text_front_end.normalise import normalise

Pronounce = Callable[[Sequence[str], str], list[str]]


class Errors(NamedTuple):
    """Error rates of a set of words."""

    phonemes: float
    words: float
    count: int
    """Words."""


def errors(texts: Sequence[PronouncedWords], found: Sequence[Sequence[str]]) -> Errors:
    """Error rates of what was `found` for each word of the texts."""
    wrong = total = wrong_words = words = 0
    for text, own in zip(texts, found, strict=True):
        for right, said in zip(text.phonemes, own, strict=True):
            counted = count_errors(list(right), list(said)).errors
            wrong, total = wrong + counted, total + len(right)
            wrong_words, words = wrong_words + int(counted > 0), words + 1
    return Errors(wrong / max(total, 1), wrong_words / max(words, 1), words)


def parts(corpus: Path) -> dict[str, list[PronouncedWords]]:
    """Sentences and unseen single words of a corpus's dev set."""
    dev = read_pronunciations(corpus / "dev.jsonl")
    seen = {word.lower() for own in read_pronunciations(corpus / "train.jsonl") for word in own.words}
    return {
        "sentences": [own for own in dev if len(own.words) > 1],
        "unseen words": [own for own in dev if len(own.words) == 1 and own.words[0].lower() not in seen],
    }


def timed(pronounce: Pronounce, texts: Sequence[PronouncedWords]) -> tuple[list[list[str]], float]:
    """Phonemes of each text, and median milliseconds of one."""
    found, seconds = [], []
    for own in texts:
        begun = time.perf_counter()
        found.append(pronounce(own.words, own.language))
        seconds.append(time.perf_counter() - begun)
    return found, 1000 * statistics.median(seconds)


def by_espeak(words: Sequence[str], language: str) -> list[str]:
    """Phonemes of words by the program."""
    spoken = normalise(" ".join(words), language)
    said = EspeakPronouncer()(spoken, language)
    found = [said.symbols[start:end] for start, end in said.words]
    return [*found, *[""] * len(words)][: len(words)]


def alike(ours: LetterPronouncer, code: str) -> tuple[int, int]:
    """Words of the benchmark's sentences in a language that model and program say alike, and all words."""
    same = total = 0
    program = EspeakPronouncer()
    for line in sentences(code):
        spoken = normalise(line, code)
        one, other = ours(spoken, code), program(spoken, code)
        words = [(one.symbols[a:b], other.symbols[c:d]) for (a, b), (c, d) in zip(one.words, other.words, strict=True)]
        same, total = same + sum(said == wanted for said, wanted in words), total + len(words)
    return same, total


def main(
    model: Annotated[Path, typer.Argument(help="Checkpoint of a pronunciation model.")],
    corpora: Annotated[list[Path], typer.Argument(help="Folders with train.jsonl and dev.jsonl.")],
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
    most: Annotated[int, typer.Option(help="Texts of each kind, evenly from all.")] = 400,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    ours = LetterPronouncer.load(model)
    known = {"model": ours.words}
    if (model / LEXICON).is_file():
        known["network alone"] = LetterPronouncer.load(model, lexicon=False).words
    rows: list[dict[str, Any]] = []
    for corpus in corpora:
        for part, every in parts(corpus).items():
            texts = every[:: -(-len(every) // most)] if every else []
            if not texts:
                continue
            systems: dict[str, Pronounce] = {**known} if texts[0].language == "eng" else {"model": ours.words}
            if shutil.which(PROGRAM):
                systems[PROGRAM] = by_espeak
            for name, pronounce in systems.items():
                found, ms = timed(pronounce, texts)
                own = errors(texts, found)
                row = {"system": name, "language": texts[0].language, "part": part, "texts": len(texts), "ms": ms}
                rows.append({**row, **own._asdict()} if name in known or texts[0].language == "eng" else row)
    table = Table("system", "language", "part", "words", "phonemes wrong", "words wrong", "ms per text")
    for row in rows:
        rates = [f"{row[name]:.2%}" if name in row else "-" for name in ("phonemes", "words")]
        table.add_row(
            row["system"], row["language"], row["part"], str(row.get("count", "-")), *rates, f"{row['ms']:.1f}"
        )
    Console().print(table)
    codes = [code for code in sorted(ours.languages) if (SENTENCES / f"{code}.txt").is_file()]
    shared = {code: alike(ours, code) for code in codes} if shutil.which(PROGRAM) else {}
    for code, (same, total) in shared.items():
        Console().print(f"{code}: {same} of {total} words of other sentences as {PROGRAM} says them")
    if output is not None:
        output.write_text(
            json.dumps({"machine": machine(), "results": rows, "alike": shared}, indent=1) + "\n", "utf-8"
        )


if __name__ == "__main__":
    typer.run(main)
