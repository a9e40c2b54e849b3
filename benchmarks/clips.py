"""Selection of clips for benchmarks, their error counts, and figures as a table and as a file."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from speech.data.manifest import Utterance
from speech.files import write_atomically
from speech.metrics.edit.alignment import ErrorCounts, count_errors
from speech.text.languages import resolve
from speech.text.normalize import plain_text
from speech.text.units import UnitKind, units

GAP_S = 0.3
"""Pause between joined utterances; shorter than one that ends a part."""


def every_nth(utterances: Iterable[Utterance], every: int, languages: Collection[str] = ()) -> list[Utterance]:
    """The first and then each `every`-th utterance of each language, sorted by id; `languages` empty: all."""
    by_language: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in sorted(utterances, key=lambda u: u.id):
        if not languages or utterance.language in languages:
            by_language[utterance.language].append(utterance)
    return [u for own in by_language.values() for u in own[::every]]


def paragraphs(utterances: Iterable[Utterance], longest_s: float, gap_s: float = GAP_S) -> list[tuple[Utterance, ...]]:
    """Join utterances of one language, source and speaker, in the order of their ids, while together with gaps they are
    at most `longest_s`; an utterance that is longer stands alone."""
    found: list[list[Utterance]] = []
    total_s = 0.0
    for utterance in sorted(utterances, key=lambda u: (u.language, u.source, u.speaker or "", u.id)):
        last = found[-1][-1] if found else utterance
        same = all(getattr(last, key) == getattr(utterance, key) for key in ("language", "source", "speaker"))
        total_s += gap_s + utterance.duration_s
        if found and same and total_s <= longest_s:
            found[-1].append(utterance)
        else:
            found.append([utterance])
            total_s = utterance.duration_s
    return [tuple(own) for own in found]


def cased_errors(reference: str, hypothesis: str, languages: Sequence[str]) -> ErrorCounts:
    """Errors with case and punctuation: NFC texts split at spaces. If all `languages` (ISO 639-3) are written without
    spaces, characters are compared, including punctuation."""
    one, other = (unicodedata.normalize("NFC", text).split() for text in (reference, hypothesis))
    if any(resolve(language).spaces for language in languages):
        return count_errors(one, other)
    return count_errors(list("".join(one)), list("".join(other)))


def written(text: str) -> list[str]:
    """Mixed units of a text, without punctuation: words, and characters of scripts without spaces."""
    return units(plain_text(text), UnitKind.mer)


def save(output: Path | None, record: dict[str, Any]) -> None:
    """Write a record as JSON, if `output` is given; a file that is there is replaced at once or not at all."""
    if output is not None:
        write_atomically(output, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Rows of figures; `texts` are left out, and what a row lacks is `-`."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "texts"]
    made = Table(*names)
    for row in rows:
        made.add_row(*(str(row.get(name, "-")) for name in names))
    return made


def worst(
    ours: dict[str, ErrorCounts], theirs: dict[str, ErrorCounts], least: int = 100
) -> Sequence[tuple[str, float, float]]:
    """Languages with more than `least` units and more errors than the peer, by descending ratio: (code, ours,
    peer's)."""
    both = [(code, ours[code].rate, theirs[code].rate) for code in ours if code in theirs]
    found = [one for one in both if ours[one[0]].reference_length > least and one[1] > one[2]]
    return sorted(found, key=lambda one: one[1] / max(one[2], 1e-9), reverse=True)
