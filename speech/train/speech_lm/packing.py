"""Which utterances lie in which row of which batch: planned for each epoch, the same in every run of a seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

_OPEN = 32
"""Rows that are filled at the same time."""


def packed_rows(lengths: Sequence[int], places: int) -> list[list[int]]:
    """Put items into rows of `places`, each into the first open row with room; few rows are open at a time.

    Args:
        lengths: of the items, at most `places` each.
        places: of a row.

    Returns:
        The numbers of the items in each row.
    """
    done: list[list[int]] = []
    opened: list[tuple[list[int], int]] = []  # items and room
    for item, length in enumerate(lengths):
        for place, (row, room) in enumerate(opened):
            if length <= room:
                row.append(item)
                opened[place] = (row, room - length)
                break
        else:
            if len(opened) == _OPEN:
                fullest = min(range(_OPEN), key=lambda n: opened[n][1])
                done.append(opened.pop(fullest)[0])
            opened.append(([item], places - length))
    return done + [row for row, _ in opened]


class EpochPlan:
    """Rows of an epoch in which each utterance occurs once, some of them behind another of their speaker.

    Args:
        lengths: places of each utterance, at most `places`.
        speakers: of each utterance; empty: unknown.
        places: of a row.
        prompted: share of the utterances that get another one in front, if it fits.
        rng: random numbers of the epoch.

    Attributes:
        rows: of each row its requests, which do not see each other; of each request its utterances, in order.
    """

    def __init__(
        self, lengths: Sequence[int], speakers: Sequence[str], places: int, prompted: float, rng: np.random.Generator
    ) -> None:
        pools = _by_speaker(speakers)
        requests: list[list[int]] = []
        for own in rng.permutation(len(lengths)).tolist():
            request = [own]
            pool = pools.get(speakers[own], [])
            if rng.random() < prompted and len(pool) > 1:
                other = pool[int(rng.integers(len(pool)))]
                if other != own and lengths[other] + lengths[own] <= places:
                    request = [other, own]
            requests.append(request)
        rows = packed_rows([sum(lengths[n] for n in request) for request in requests], places)
        self.rows = [[requests[n] for n in rows[row]] for row in rng.permutation(len(rows)).tolist()]


def _by_speaker(speakers: Sequence[str]) -> Mapping[str, list[int]]:
    """Named speaker -> utterances."""
    pools: dict[str, list[int]] = defaultdict(list)
    for number, speaker in enumerate(speakers):
        if speaker:
            pools[speaker].append(number)
    return pools
