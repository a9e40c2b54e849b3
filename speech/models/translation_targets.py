"""Translation targets of a model: only languages with measured scores clearly above those of the source text.

The scores are in `config.json` under `translates`, and in the model card. A model trained on translations has tokens
for all its targets, which does not show that it has learned to write them.
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
from speech.models.storage import LABEL, RECORD, WHISPER
from speech.text.languages import ENGLISH, resolve

KEY = "translates"
_HYBRID = "hybrid"
"""The checkpoint kind that combines CTC with a label model."""
_HEADING = "## Translation"
_SECTION = re.compile(rf"\n*^{_HEADING}$.*?(?=^## |\Z)", re.M | re.S)


@dataclass(frozen=True, slots=True)
class TargetScore:
    """Measured translation quality for one target language."""

    chrf: float
    """chrF of the translations, 0 to 100 (Popović 2015)."""
    source_chrf: float
    """chrF of the source transcripts, as a baseline without translation."""
    utterances: int
    sources: tuple[str, ...]
    """ISO 639-3 codes of the spoken languages."""
    data: str
    """Manifest of the evaluation data."""


Targets = Mapping[str, TargetScore]
"""ISO 639-3 code -> score."""


def read_targets(record: Mapping[str, Any], directory: Path) -> dict[str, TargetScore]:
    """Read targets from the content of `config.json` in a directory; without an entry there are none.

    Raises:
        ModelError: if the entry is malformed, or has a target for which the model has no token.
    """
    found: dict[str, TargetScore] = {}
    try:
        recorded = record.get(KEY, {})
        known = _tokens(record, directory) if recorded else ()
        for code, values in recorded.items():
            score = TargetScore(**{**values, "sources": tuple(values["sources"])})
            if not (math.isfinite(score.chrf) and math.isfinite(score.source_chrf)) or score.utterances < 1:
                raise ValueError(f"chrF {score.chrf}, of the source {score.source_chrf}, {score.utterances} utterances")
            if code not in known:
                raise ValueError("the model has no token for it")
            found[code] = score
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{KEY}: is no record of translation targets: {error}", where=str(directory / RECORD)
        ) from error
    return found


def _tokens(record: Mapping[str, Any], directory: Path) -> Collection[str]:
    """Languages that the model was trained to translate into; the label model of a hybrid has its own record."""
    if record.get("kind") == WHISPER:
        model = record["model"]
        return () if model.get("english_only") else model.get("st_targets", (ENGLISH,))
    targets = cast(Collection[str], record["st_targets"])
    if record.get("kind") != _HYBRID:
        return targets
    label = directory / LABEL
    return {*targets, *_tokens(json.loads(read_text(label / RECORD)), label)}


def check_target(to: str | None, targets: Targets) -> None:
    """Check that a model translates into a language.

    Raises:
        LanguageError: if it does not; names the available targets.
    """
    if to is None or to in targets:
        return
    known = ", ".join(targets)
    fix = f"It translates into {known}." if known else "It translates into no language; leave the target out."
    raise LanguageError(f"the model does not translate into {resolve(to).name} ({to})", fix=fix)


def write_targets(directory: Path, targets: Targets) -> None:
    """Add scores to a checkpoint's configuration and model card, keeping those of other targets.

    Raises:
        FileError: if a file cannot be read or written.
        ModelError: if the existing entry is malformed.
    """
    path = directory / RECORD
    record = json.loads(read_text(path))
    merged = read_targets(record, directory) | dict(targets)
    record[KEY] = to_record(merged)
    card = directory / "README.md"
    text = read_text(card) if card.is_file() else f"# {directory.name}\n"
    write_atomically(card, with_section(text, merged))
    write_atomically(path, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def to_record(targets: Targets) -> dict[str, Any]:
    """Convert targets to plain data, the inverse of `read_targets`."""
    return {code: asdict(score) | {"sources": list(score.sources)} for code, score in sorted(targets.items())}


def with_section(card: str, targets: Targets) -> str:
    """Replace the translation section of a model card."""
    rows = [
        f"| {resolve(code).name} ({code}) | {score.chrf:.1f} | {score.source_chrf:.1f} | {score.utterances} "
        f"| {' '.join(score.sources)} | {score.data} |"
        for code, score in sorted(targets.items())
    ]
    head = ["| into | chrF | chrF of the source text | utterances | spoken | data |", "|---|---|---|---|---|---|"]
    section = "\n".join([_HEADING, "", *([*head, *rows] if rows else ["It translates into no language."])])
    return _SECTION.sub("\n\n", card).rstrip() + f"\n\n{section}\n"
