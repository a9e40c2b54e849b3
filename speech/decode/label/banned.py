"""Token sequences that a search may not write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


class BannedSequences:
    """Tells which tokens would complete a banned sequence.

    Args:
        sequences: banned token sequences; empty ones are ignored.
        behind: tokens that stand before the text: a sequence may begin in them.
    """

    def __init__(self, sequences: Iterable[Sequence[int]], behind: Sequence[int] = ()) -> None:
        self._behind = tuple(behind)
        self._last: dict[tuple[int, ...], set[int]] = {}
        for sequence in sequences:
            if sequence:
                self._last.setdefault(tuple(sequence[:-1]), set()).add(sequence[-1])
        self._lengths = sorted({len(before) for before in self._last})

    def __bool__(self) -> bool:
        """Whether there are any sequences."""
        return bool(self._last)

    def after(self, tokens: tuple[int, ...]) -> Collection[int]:
        """Tokens that may not follow a text."""
        tokens = (*self._behind, *tokens)
        count = len(tokens)
        ends = (tokens[count - length :] for length in self._lengths if length <= count)
        return {token for end in ends for token in self._last.get(end, ())}
