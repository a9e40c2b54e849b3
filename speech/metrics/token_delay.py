"""Average token delay (ATD) of translated speech (Kano et al. 2022, arXiv 2211.13173).

Speech on both sides is cut into tokens of .3 s. A token that is heard is compared with the source token that has its
number, less what was said too much before; its delay is the time between their ends. So a long translation is late even
if it begins early. Values equal those of SimulEval (in milliseconds there). Of a long recording, take it segment by
segment: pauses of the source count as tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

TOKEN_S = 0.3


class HeardChunk(NamedTuple):
    """Translated speech that follows more of the source. Times in seconds from the beginning of the source."""

    received_s: float
    """How much of the source had been received when it was decided on."""
    start_s: float
    """When it is heard."""
    end_s: float


def token_delays(chunks: Sequence[HeardChunk]) -> list[float]:
    """The delay of each token that is heard, in seconds.

    Args:
        chunks: in order; where several follow the same source they count as one.
    """
    joined = _joined(chunks)
    received = [0.0, *(group[0].received_s for group in joined)]
    source_ends, source_counts = [0.0], [0]
    for before, after in pairwise(received):
        ends = _token_ends(before, after)
        source_ends += ends
        source_counts.append(len(ends))
    targets = [[end for one in group for end in _token_ends(one.start_s, one.end_s)] for group in joined]
    source, target = [*accumulate(source_counts)], [0, *accumulate(map(len, targets))]
    delays, number = list[float](), 0
    for place, ends in enumerate(targets):
        surplus = max(0, target[place] - source[place])
        for end_s in ends:
            number += 1
            delays.append(end_s - source_ends[min(number - surplus, source[place + 1])])
    return delays


def average_token_delay(chunks: Sequence[HeardChunk]) -> float | None:
    """Mean of `token_delays`; None if nothing is heard."""
    delays = token_delays(chunks)
    return sum(delays) / len(delays) if delays else None


def _joined(chunks: Sequence[HeardChunk]) -> list[list[HeardChunk]]:
    found: list[list[HeardChunk]] = []
    for chunk in chunks:
        if found and found[-1][0].received_s == chunk.received_s:
            found[-1].append(chunk)
        else:
            found.append([chunk])
    return found


def _token_ends(start_s: float, end_s: float) -> list[float]:
    """Ends of the tokens of a stretch; the last may be shorter."""
    whole = int((end_s - start_s) / TOKEN_S + 1e-9)
    ends = [start_s + TOKEN_S * number for number in range(1, whole + 1)]
    return ends if end_s - start_s - whole * TOKEN_S < 1e-6 else [*ends, end_s]
