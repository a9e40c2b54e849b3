"""How much of a reference has been said, when only a beginning of it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speech.metrics.edit.alignment import EditAlignment


def closest_prefix(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Length of the beginning of `reference` from which the fewest edits lead to `heard`; of several the longest."""
    numbers: dict[str, int] = {}
    wanted = np.array([numbers.setdefault(unit, len(numbers)) for unit in reference], np.int32)
    ramp = np.arange(len(wanted) + 1, dtype=np.int32)
    row = ramp.copy()  # edits from each beginning of the reference to what has been heard so far
    for unit in heard:
        new = row + 1
        np.minimum(new[1:], row[:-1] + (wanted != numbers.get(unit, -1)), out=new[1:])
        new -= ramp
        np.minimum.accumulate(new, out=new)
        row = new + ramp
    return len(wanted) - int(np.argmin(row[::-1]))


def equal_runs(alignment: EditAlignment) -> list[tuple[int, int, int]]:
    """(place in the reference, place in the hypothesis, length) of units that are equal."""
    found, source, target = [], 0, 0
    for edit in alignment.edits:
        found.append((source, target, edit.source - source))
        source = edit.source + (edit.operation != "insert")
        target = edit.target + (edit.operation != "delete")
    return [*found, (source, target, len(alignment.reference) - source)]
