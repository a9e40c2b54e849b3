"""What a model translates into: only what has been measured, and is clearly nearer to translations than the source is.

The figures are in `config.json` under `translates`, and in the model card. A model has tokens for targets as soon as it
is trained on translations; that says nothing about whether it learnt to write them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from speech.errors import LanguageError, ModelError
from speech.files import read_text, write_atomically
from speech.models.storage import WHISPER
from speech.text.languages import resolve

KEY = "translates"
_ENGLISH, _HYBRID = "eng", "hybrid"
"""What label decoders translate into, and the kind of a checkpoint that has one beside CTC."""
_HEADING = "## Translation"
_SECTION = re.compile(rf"\n*^{_HEADING}$.*?(?=^## |\Z)", re.M | re.S)


@dataclass(frozen=True, slots=True)
class TargetScore:
    """How well a model translates into one language."""

    chrf: float
    """Of its translations, 0 to 100 (Popović 2015)."""
    source_chrf: float
    """Of the transcripts in their place: what somebody scores who translates nothing."""
    utterances: int
    sources: tuple[str, ...]
    """ISO 639-3 codes of the languages that were spoken."""
    data: str
    """Manifest that it was measured on."""


Targets = Mapping[str, TargetScore]
"""ISO 639-3 code -> score."""


def read_targets(record: Mapping[str, Any], where: str) -> dict[str, TargetScore]:
    """From the content of `config.json`; a model that says nothing translates into nothing.

    Raises:
        ModelError: if it is no such record, or has a target that the model has no token for.
    """
    found: dict[str, TargetScore] = {}
    try:
        for code, values in record.get(KEY, {}).items():
            score = TargetScore(**{**values, "sources": tuple(values["sources"])})
            if not (math.isfinite(score.chrf) and math.isfinite(score.source_chrf)) or score.utterances < 1:
                raise ValueError(f"chrF {score.chrf}, of the source {score.source_chrf}, {score.utterances} utterances")
            if code not in _tokens(record):
                raise ValueError("the model has no token for it")
            found[code] = score
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{KEY}: is no record of translation targets: {error}", where=where) from error
    return found


def _tokens(record: Mapping[str, Any]) -> Collection[str]:
    """Languages that a model has tokens for; Whisper's task is English, unless it knows nothing else."""
    if record.get("kind") == WHISPER:
        return () if record["model"].get("english_only") else (_ENGLISH,)
    targets = cast(Collection[str], record["st_targets"])
    return {*targets, _ENGLISH} if record.get("kind") == _HYBRID else targets


def check_target(to: str | None, targets: Targets) -> None:
    """Whether a model translates into a language.

    Raises:
        LanguageError: naming those that it translates into.
    """
    if to is None or to in targets:
        return
    known = ", ".join(targets)
    fix = f"It translates into {known}." if known else "It translates into no language; leave the target out."
    raise LanguageError(f"the model does not translate into {resolve(to).name} ({to})", fix=fix)


def write_targets(directory: Path, targets: Targets) -> None:
    """Record scores in a checkpoint's configuration and card, beside those of other targets.

    Raises:
        FileError: if one of them cannot be read or written.
        ModelError: if its record is none.
    """
    path = directory / "config.json"
    record = json.loads(read_text(path))
    merged = read_targets(record, str(path)) | dict(targets)
    record[KEY] = to_record(merged)
    card = directory / "README.md"
    text = read_text(card) if card.is_file() else f"# {directory.name}\n"
    write_atomically(card, with_section(text, merged))
    write_atomically(path, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def to_record(targets: Targets) -> dict[str, Any]:
    """Plain data, the inverse of `read_targets`."""
    return {code: asdict(score) | {"sources": list(score.sources)} for code, score in sorted(targets.items())}


def with_section(card: str, targets: Targets) -> str:
    """A model card whose section on translation says this, and nothing else."""
    rows = [
        f"| {resolve(code).name} ({code}) | {score.chrf:.1f} | {score.source_chrf:.1f} | {score.utterances} "
        f"| {' '.join(score.sources)} | {score.data} |"
        for code, score in sorted(targets.items())
    ]
    head = ["| into | chrF | chrF of the source text | utterances | spoken | data |", "|---|---|---|---|---|---|"]
    section = "\n".join([_HEADING, "", *([*head, *rows] if rows else ["It translates into no language."])])
    return _SECTION.sub("\n\n", card).rstrip() + f"\n\n{section}\n"
