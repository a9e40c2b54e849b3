"""Compiled kernel of `runs`; imported by `compiled.load` only."""

from __future__ import annotations

import numpy as np
from numba import njit

KEEP, DELETE, INSERT = 0, 1, 2
"""Steps of a path: a unit of both sides (equal or not), of the reference alone, of the hypothesis alone."""


@njit(cache=True, nogil=True)
def path_of_fewest_runs(reference, hypothesis):  # type: ignore[no-untyped-def]
    """Steps of the alignment with the fewest edits and, among those, the fewest runs of deletions and insertions.

    Gotoh (1982): a state for each step; a run costs one at its beginning, an edit more than all runs together.

    Args:
        reference: numbers of the units `(n,)`, equal for equal units.
        hypothesis: `(m,)`.

    Returns:
        The steps in order, int8.
    """
    n, m = len(reference), len(hypothesis)
    edit, far = n + m + 1, (n + m + 2) * (n + m + 2)
    before = np.empty((n + 1, m + 1, 3), np.int8)
    above, row = np.full((m + 1, 3), far), np.full((m + 1, 3), far)
    for i in range(n + 1):
        row[:] = far
        if i == 0:
            row[0, KEEP] = 0
        for j in range(m + 1):
            if i and j:
                step = int(np.argmin(above[j - 1]))
                row[j, KEEP] = above[j - 1, step] + (edit if reference[i - 1] != hypothesis[j - 1] else 0)
                before[i, j, KEEP] = step
            for state in (DELETE, INSERT):
                if (i if state == DELETE else j) == 0:
                    continue
                earlier = above[j] if state == DELETE else row[j - 1]
                for step in range(3):
                    cost = earlier[step] + edit + (step != state)
                    if cost < row[j, state]:
                        row[j, state] = cost
                        before[i, j, state] = step
        above, row = row, above
    steps = np.empty(n + m, np.int8)
    i, j, count, state = n, m, 0, int(np.argmin(above[m]))
    while i or j:
        steps[count] = state
        count += 1
        arrived = before[i, j, state]
        i -= state != INSERT
        j -= state != DELETE
        state = int(arrived)
    return steps[:count][::-1]
