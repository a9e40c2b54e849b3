"""The streaming contract: state is an argument and a result, so it can be copied, batched and saved.

Every state is a nested `NamedTuple` of tensors with the batch first, of `StreamTensors`, of `Rows`, and of integers
that all streams share, so that slots of a batch can be selected and merged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor


class StreamTensors(tuple[Tensor, ...]):
    """One tensor per stream, or empty; lengths may differ. Streams are selected and merged without copying."""


class Rows(ABC):
    """A part of a state that selects and merges its rows itself, one per stream."""

    @abstractmethod
    def selected(self, slots: Sequence[int]) -> Self:
        """The rows `slots`, in that order."""

    @abstractmethod
    def merged(self, others: Sequence[Self]) -> Self:
        """These rows, and behind them those of `others`."""


def _rebuild(like: Any, parts: list[Any]) -> Any:
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)


def select[S](state: S, slots: Sequence[int]) -> S:
    """Return the state of the batch elements `slots`, in that order; it keeps no other element in memory."""
    if isinstance(state, Tensor):  # slices by Python integers: no synchronisation with the GPU
        return torch.cat([state[slot : slot + 1] for slot in slots])  # type: ignore[return-value]
    if isinstance(state, int):
        return state
    if isinstance(state, Rows):
        return state.selected(slots)
    if isinstance(state, StreamTensors):
        return StreamTensors(state[slot] for slot in slots if state)  # type: ignore[return-value]
    assert isinstance(state, tuple)
    return _rebuild(state, [select(part, slots) for part in state])


def merge[S](states: Sequence[S]) -> S:
    """Merge states into one batch; all must have the same number of pending feature frames."""
    first = states[0]
    if isinstance(first, Tensor):
        return torch.cat(list(states), dim=0)  # type: ignore[arg-type,return-value]
    if isinstance(first, int):
        return first
    if isinstance(first, Rows):
        return first.merged(states[1:])  # type: ignore[arg-type]
    if isinstance(first, StreamTensors):
        return StreamTensors(row for state in states for row in state)  # type: ignore[return-value,attr-defined]
    assert isinstance(first, tuple)
    return _rebuild(first, [merge(parts) for parts in zip(*states, strict=True)])
