"""Stream of training batches over epochs, which resumes at any step and is shared between processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import lightning as L
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from speech.errors import ConfigError


class Batches[B](Protocol):
    """Deterministic batches, addressed by epoch and index."""

    def size(self, epoch: int) -> int:
        """Number of batches in an epoch."""

    def batch(self, epoch: int, index: int) -> B:
        """Batch `index` of an epoch."""


class Stream[B](IterableDataset[B]):
    """Batches of a run over any number of epochs. Batch n of process r of R is batch n * R + r of a single process.

    So a resumed run reads what the uninterrupted run would have read, and R processes with A batches per step are
    equivalent to one with R * A. Loader workers take turns.

    Args:
        batches: batches by epoch and index.
        start: index of the first batch of this process.
        stop: number of batches of this process in the whole run, including those before `start`.
        share: (r, R), rank and number of processes.

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
    """Data loaders, built once Lightning knows the number of processes.

    Args:
        train: training batches.
        dev: validation batches, the same in each process.
        start: batches per process that an interrupted run has consumed.
        stop: batches per process of the whole run.
        workers: loader processes; 0: the main process loads.
    """

    def __init__(self, train: Batches[B], dev: IterableDataset[B], start: int, stop: int, workers: int) -> None:
        super().__init__()
        self.train = train
        self.dev = dev
        self.start = start
        self.stop = stop
        self.workers = workers

    def train_dataloader(self) -> DataLoader[B]:
        """Loader of the remaining training batches of this process."""
        assert self.trainer is not None
        stream = Stream(self.train, self.start, self.stop, (self.trainer.global_rank, self.trainer.world_size))
        ahead = 4 if self.workers else None
        return DataLoader(stream, batch_size=None, num_workers=self.workers, prefetch_factor=ahead)

    def val_dataloader(self) -> DataLoader[B]:
        """Loader of the whole dev set."""
        return DataLoader(self.dev, batch_size=None)
