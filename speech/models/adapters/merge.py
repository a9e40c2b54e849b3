"""Chooses the best adapter of each language from several checkpoints of a training run.

Languages peak at different steps. Since each has its own parameters, each can keep those of its best step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from speech.errors import ModelError
from speech.models.adapters.file import AdapterDescription, describe
from speech.models.adapters.store import SUFFIX

SCORE = "dev_cer"
_TIE, _STEP = "dev_wer", "step"


@dataclass(frozen=True, slots=True)
class BestAdapter:
    """Best adapter of one language."""

    file: AdapterDescription
    """The file with the lowest `dev_cer`; ties prefer the lower `dev_wer`, then the earlier step."""
    common: AdapterDescription | None
    """The file of the best common step, which has the lowest mean over all languages; None if no step has all
    languages."""

    @property
    def step(self) -> int | None:
        """Training step of the file, if its scores contain it."""
        return _step(self.file)


def merge(paths: Iterable[Path]) -> dict[str, BestAdapter]:
    """Choose the best file of each language.

    Args:
        paths: adapter files, and folders to search recursively.

    Raises:
        ModelError: if there are no adapters, one has no `dev_cer` score, or their bases differ.
    """
    by_language: dict[str, list[AdapterDescription]] = defaultdict(list)
    first: AdapterDescription | None = None
    for path in _files(paths):
        info = describe(path)
        first = first or info
        if info.base != first.base:
            raise ModelError(
                f"is for another base than {first.path}: {info.base[:12]}, not {first.base[:12]}",
                where=str(path),
                fix="Merge the adapters of each base by themselves.",
            )
        if SCORE not in info.scores:
            raise ModelError(f"has no {SCORE!r} among its scores {sorted(info.scores)}", where=str(path))
        by_language[info.language].append(info)
    together = _best_step(by_language)
    return {
        code: BestAdapter(min(found, key=lambda info: rank(info.scores)), together.get(code))
        for code, found in sorted(by_language.items())
    }


def _files(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not files:
            raise ModelError("holds no adapter", where=str(path), fix="Give files, or folders that hold some.")
        found |= dict.fromkeys(files)
    if not found:
        raise ModelError("no adapters to merge", fix="Give files, or folders that hold some.")
    return list(found)


def rank(scores: Mapping[str, float]) -> tuple[float, float, float]:
    """Sort key, lower is better: character errors on dev, then word errors, then the step."""
    return scores[SCORE], scores.get(_TIE, float("inf")), scores.get(_STEP, float("inf"))


def _step(info: AdapterDescription) -> int | None:
    return None if _STEP not in info.scores else round(info.scores[_STEP])


def _best_step(by_language: dict[str, list[AdapterDescription]]) -> dict[str, AdapterDescription]:
    """Files of the step with the lowest mean score over all languages; empty if no step has all languages."""
    by_step: dict[int, dict[str, AdapterDescription]] = defaultdict(dict)
    for code, found in by_language.items():
        for info in sorted(found, key=lambda info: rank(info.scores)):
            step = _step(info)
            if step is not None:
                by_step[step].setdefault(code, info)
    whole = [(step, files) for step, files in sorted(by_step.items()) if len(files) == len(by_language)]
    return min(whole, key=lambda item: sum(info.scores[SCORE] for info in item[1].values()), default=(0, {}))[1]
