"""Matches a partial hypothesis with the beginning of a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speech.metrics.edit.alignment import EditAlignment


def closest_prefix(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Length of the prefix of `reference` with the fewest edits to `heard`; the longest in a tie."""
    numbers: dict[str, int] = {}
    wanted = np.array([numbers.setdefault(unit, len(numbers)) for unit in reference], np.int32)
    ramp = np.arange(len(wanted) + 1, dtype=np.int32)
    row = ramp.copy()  # edit distance from each prefix of the reference to the units heard so far
    for unit in heard:
        new = row + 1
        np.minimum(new[1:], row[:-1] + (wanted != numbers.get(unit, -1)), out=new[1:])
        new -= ramp
        np.minimum.accumulate(new, out=new)
        row = new + ramp
    return len(wanted) - int(np.argmin(row[::-1]))


def equal_runs(alignment: EditAlignment) -> list[tuple[int, int, int]]:
    """Runs of equal units: (index in the reference, index in the hypothesis, length)."""
    found, source, target = [], 0, 0
    for edit in alignment.edits:
        found.append((source, target, edit.source - source))
        source = edit.source + (edit.operation != "insert")
        target = edit.target + (edit.operation != "delete")
    return [*found, (source, target, len(alignment.reference) - source)]
