"""Batches of examples, as features."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from speech.data.reading import Unreadable
from speech.errors import DataError
from speech.files import printable, read_text
from speech.text.turn_features import turn_features
from speech.train.end_of_turn.config import EndOfTurnTrainConfig
from speech.train.end_of_turn.examples import TurnExample, TurnMaker
from speech.train.end_of_turn.turns import WrittenTurn

FILLERS = "fillers.json"
"""File in a folder of texts: what is said while somebody thinks, by language; it may be missing."""

PHRASES_SOURCE = "phrases"
"""Source of what people say to assistants, which occurs more often than other texts."""


@dataclass(kw_only=True, slots=True)
class TurnBatch:
    """Features of examples, one after the other."""

    features: Tensor
    """`(features,)` of all rows."""
    starts: Tensor
    """`(batch,)`: the place of a row's first feature."""
    finished: Tensor
    """`(batch,)` 1.0 or 0.0."""
    ids: list[str]
    sample_rate: int = 1
    """Texts have no audio: the loop counts rows instead."""
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def sample_lengths(self) -> Tensor:
        """One for each row."""
        return torch.ones(len(self.starts))

    def __len__(self) -> int:
        return len(self.starts)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> TurnBatch:
        """Copy of the batch with its tensors on `device`."""
        names = ("features", "starts", "finished")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return replace(self, **moved)


def read_fillers(folder: Path) -> dict[str, list[str]]:
    """What is said while somebody thinks, by language; nothing if the folder does not tell.

    Raises:
        DataError: if it is told in another way.
    """
    path = folder / FILLERS
    if not path.is_file():
        return {}
    try:
        found = json.loads(read_text(path))
        return {str(code): [str(one) for one in every] for code, every in found.items() if every}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"it is no list of words by language: {error}", where=printable(path)) from error


def batch_of(
    examples: Sequence[TurnExample],
    ids: Sequence[str],
    buckets: int,
    rng: random.Random,
    dropout: float,
    unnamed: float,
) -> TurnBatch:
    """Features of examples.

    Args:
        examples: of a batch.
        ids: of the texts.
        buckets: of the model.
        rng: draws what is left out.
        dropout: share of features to leave out.
        unnamed: share of examples whose language is unknown.
    """
    features: list[int] = []
    starts = []
    for own in examples:
        starts.append(len(features))
        code = None if rng.random() < unnamed else own.language
        every = turn_features(own.text, code, buckets)
        features += [number for number in every if dropout == 0 or rng.random() >= dropout]
    finished = torch.tensor([float(own.finished) for own in examples])
    return TurnBatch(
        features=torch.tensor(features, dtype=torch.int64), starts=torch.tensor(starts), finished=finished, ids=[*ids]
    )


class TurnBatches:
    """Training batches by epoch and index.

    Args:
        texts: complete texts, and phrases that break off.
        recognised: turns that are taken as they are.
        maker: makes examples of texts.
        config: of the run.
    """

    def __init__(
        self,
        texts: Sequence[WrittenTurn],
        recognised: Sequence[WrittenTurn],
        maker: TurnMaker,
        config: EndOfTurnTrainConfig,
    ) -> None:
        times = config.rows.phrase_times
        self._turns = [own for own in texts for _ in range(times if own.source == PHRASES_SOURCE else 1)]
        self._made = len(self._turns)
        """So many first turns are texts to make examples of."""
        self._turns += [*recognised] * config.rows.recognised_times
        self._maker, self._config = maker, config
        self._order: tuple[int, list[int]] | None = None

    def size(self, epoch: int) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._turns) // self._config.rows.rows)

    def batch(self, epoch: int, index: int) -> TurnBatch:
        """Batch `index` of an epoch."""
        seed, rows = self._config.seed, self._config.rows
        if self._order is None or self._order[0] != epoch:
            order = list(range(len(self._turns)))
            random.Random(f"{seed} {epoch}").shuffle(order)
            self._order = epoch, order
        rng = random.Random(f"{seed} {epoch} {index}")
        numbers = self._order[1][index * rows.rows : (index + 1) * rows.rows]
        examples = [
            self._maker.example(self._turns[n], rng) if n < self._made else as_example(self._turns[n]) for n in numbers
        ]
        ids = [self._turns[n].id for n in numbers]
        return batch_of(examples, ids, self._config.buckets, rng, rows.dropout, rows.unnamed)


def as_example(turn: WrittenTurn) -> TurnExample:
    """A turn as it is."""
    return TurnExample(turn.language, turn.text, turn.finished)


class TurnDev(IterableDataset[TurnBatch]):
    """Examples that are always the same."""

    def __init__(self, examples: Sequence[TurnExample], buckets: int, rows: int) -> None:
        super().__init__()
        self._examples, self._buckets, self._rows = examples, buckets, rows

    def __len__(self) -> int:
        return -(-len(self._examples) // self._rows)

    def __iter__(self) -> Iterator[TurnBatch]:
        for start in range(0, len(self._examples), self._rows):
            part = self._examples[start : start + self._rows]
            ids = [str(start + n) for n in range(len(part))]
            yield batch_of(part, ids, self._buckets, random.Random(0), 0, 0)
