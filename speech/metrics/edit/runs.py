"""Minimal alignments whose deletions and insertions stand together: what was left out or said twice is in one piece.

Among the alignments with the fewest edits, `align` returns any. A sentence that was left out may then lie in two
pieces, with a word between them that is in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speech.compiled import load
from speech.metrics.edit.alignment import Edit, EditAlignment, Operation, align

_KERNELS = "speech.metrics.edit.run_kernels"
_MOST_CELLS = 100_000_000
_OPERATIONS: tuple[Operation, ...] = ("replace", "delete", "insert")


@dataclass(frozen=True, slots=True)
class EditRun:
    """Deletions, or insertions, in a row."""

    operation: Operation
    start: int
    """Index of the first unit: of a deletion in the reference, of an insertion in the hypothesis."""
    units: tuple[str, ...]


def align_in_runs(reference: Sequence[str], hypothesis: Sequence[str]) -> EditAlignment:
    """Align two sequences of units with the fewest edits and, among those alignments, the fewest runs of deletions and
    insertions. Time and memory grow with the product of the lengths; above 100 million pairs of units, as `align`."""
    if (len(reference) + 1) * (len(hypothesis) + 1) > _MOST_CELLS:
        return align(reference, hypothesis)
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys([*reference, *hypothesis]))}
    sides = (np.array([numbers[unit] for unit in side], np.int32) for side in (reference, hypothesis))
    edits: list[Edit] = []
    source = target = 0
    for step in load(_KERNELS).path_of_fewest_runs(*sides).tolist():
        operation = _OPERATIONS[step]
        if operation != "replace" or reference[source] != hypothesis[target]:
            edits.append(Edit(operation, source, target))
        source += operation != "insert"
        target += operation != "delete"
    return EditAlignment(reference, hypothesis, tuple(edits))


def runs_of(alignment: EditAlignment) -> list[EditRun]:
    """The runs of deletions and of insertions of an alignment, in order."""
    found: list[list[Edit]] = []
    for edit in alignment.edits:
        if edit.operation == "replace":
            continue
        last = found[-1][-1] if found else None
        follows = last is not None and edit.operation == last.operation and _behind(last) == (edit.source, edit.target)
        if follows:
            found[-1].append(edit)
        else:
            found.append([edit])
    return [_run(alignment, edits) for edits in found]


def _behind(edit: Edit) -> tuple[int, int]:
    return edit.source + (edit.operation != "insert"), edit.target + (edit.operation != "delete")


def _run(alignment: EditAlignment, edits: Sequence[Edit]) -> EditRun:
    first = edits[0]
    deleted = first.operation == "delete"
    side, start = (alignment.reference, first.source) if deleted else (alignment.hypothesis, first.target)
    return EditRun(first.operation, start, tuple(side[start : start + len(edits)]))
