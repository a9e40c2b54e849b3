"""Words that a voice left out or said twice, by what a recogniser heard.

A recogniser mishears single words. What it does not hear of four words in a row, or hears twice, was rarely said right.
"""

from __future__ import annotations

from collections.abc import Sequence

from speech.metrics.edit.alignment import EditAlignment, count_errors
from speech.metrics.edit.runs import EditRun, align_in_runs, runs_of

LEAST = 4
"""Words in a row that count; in scripts without spaces, characters."""
_MISHEARD = 4
"""One word in so many may differ in a repetition."""


def skipped_and_repeated(alignment: EditAlignment) -> tuple[list[EditRun], list[EditRun]]:
    """Runs of at least `LEAST` deleted words, and runs of as many inserted words that repeat what is beside them.

    A word that was replaced ends a run. What was left out where other words were said instead is not found: those are
    replacements.

    Args:
        alignment: of the words that were to be said with those that were heard.
    """
    counts = alignment.counts
    if max(counts.deletions, counts.insertions) < LEAST:
        return [], []
    long = [run for run in runs_of(align_in_runs(*_sides(alignment))) if len(run.units) >= LEAST]
    heard = alignment.hypothesis
    return (
        [run for run in long if run.operation == "delete"],
        [run for run in long if run.operation == "insert" and _repeats(heard, run.start, len(run.units))],
    )


def _sides(alignment: EditAlignment) -> tuple[Sequence[str], Sequence[str]]:
    return alignment.reference, alignment.hypothesis


def _repeats(heard: Sequence[str], start: int, length: int) -> bool:
    """Whether `heard` says at least `LEAST` words twice in a row, at least once within the run or across its border.

    Which of both is the inserted one, and where it begins, is open: in "a b c d a b c d e", "b c d a" may be it.
    """
    end = start + length
    for period in range(length, LEAST - 1, -1):
        for first in range(max(start - period, 0), min(end + period, len(heard)) - 2 * period + 1):
            once = heard[first : first + period]
            again = heard[first + period : first + 2 * period]
            if count_errors(once, again).errors <= period // _MISHEARD:
                return True
    return False
