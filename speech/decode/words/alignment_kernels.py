"""Compiled kernels of `alignment`; imported by `compiled.load` only, like `beam_kernels`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def viterbi(scores, states, blank):  # type: ignore[no-untyped-def]
    """The best path through `states (n,)`, which are blank, token, blank, token, .., blank.

    Ties prefer staying in a state, then moving to the next one.

    Args:
        scores: log-probabilities `(T, columns)` float32.
        states: column of each state.
        blank: column of blank.

    Returns:
        State of each frame `(T,)`, and the log-probability of the path.
    """
    frames, count = len(scores), len(states)
    steps = np.zeros((frames, count), np.int8)
    best = np.full(count, -math.inf)
    for state in range(min(count, 2)):
        best[state] = scores[0, states[state]]
    for frame in range(1, frames):
        for state in range(count - 1, -1, -1):  # descending: lower states still hold the last frame
            arrival, step = best[state], 0
            if state > 0 and best[state - 1] > arrival:
                arrival, step = best[state - 1], 1
            skips = state > 1 and states[state] != blank and states[state] != states[state - 2]
            if skips and best[state - 2] > arrival:
                arrival, step = best[state - 2], 2
            best[state] = arrival + scores[frame, states[state]]
            steps[frame, state] = step
    last = count - 1 if count == 1 or best[count - 1] >= best[count - 2] else count - 2
    path = np.empty(frames, np.int64)
    path[frames - 1] = last
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = path[frame] - steps[frame, path[frame]]
    return path, best[last]
