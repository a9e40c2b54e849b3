"""The batches of a run: epoch after epoch, from the step it has reached, each process its share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import lightning as L
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from speech.errors import ConfigError


class Batches[B](Protocol):
    """Batches by epoch and number, the same whenever and wherever they are asked for."""

    def size(self, epoch: int) -> int:
        """Batches of an epoch."""

    def batch(self, epoch: int, index: int) -> B:
        """One of them."""


class Stream[B](IterableDataset[B]):
    """Batches of an endless run. Batch n of process r of R is batch n * R + r of a process alone.

    So a run that resumes reads what the first would have read, and the steps of R processes that take A batches each
    are those of one that takes R * A. Workers of a loader take turns.

    Args:
        batches: of all epochs.
        start: first batch of this process.
        stop: batches of this process from the very beginning to the end of the run.
        share: (r, R).

    Raises:
        ConfigError: while iterating, if an epoch has no batch.
    """

    def __init__(self, batches: Batches[B], start: int, stop: int, share: tuple[int, int] = (0, 1)) -> None:
        super().__init__()
        self.batches = batches
        self.start = start
        self.stop = stop
        self.share = share

    def __iter__(self) -> Iterator[B]:
        rank, ranks = self.share
        worker = get_worker_info()
        turn, turns = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        epoch, first = 0, 0
        for number in range((self.start + turn) * ranks + rank, self.stop * ranks, turns * ranks):
            while number >= first + (size := self.batches.size(epoch)):
                if size == 0:
                    raise ConfigError("no batch to train on", fix="Raise data.batches.max_s, or give more speech.")
                epoch, first = epoch + 1, first + size
            yield self.batches.batch(epoch, number - first)


class SpeechData[B](L.LightningDataModule):
    """Loaders, built once Lightning knows how many processes train together.

    Args:
        train: batches of an epoch.
        dev: batches of the validation, the same in each process.
        start: batches per process that an interrupted run has used.
        stop: batches per process of the whole run.
        workers: processes that read; 0: this one.
    """

    def __init__(self, train: Batches[B], dev: IterableDataset[B], start: int, stop: int, workers: int) -> None:
        super().__init__()
        self.train = train
        self.dev = dev
        self.start = start
        self.stop = stop
        self.workers = workers

    def train_dataloader(self) -> DataLoader[B]:
        """Endless; the trainer stops at its last step."""
        assert self.trainer is not None
        stream = Stream(self.train, self.start, self.stop, (self.trainer.global_rank, self.trainer.world_size))
        ahead = 4 if self.workers else None
        return DataLoader(stream, batch_size=None, num_workers=self.workers, prefetch_factor=ahead)

    def val_dataloader(self) -> DataLoader[B]:
        """The whole dev part."""
        return DataLoader(self.dev, batch_size=None)
