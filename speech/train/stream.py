"""The batches of a run: epoch after epoch, from the step it has reached, each rank its share."""

from __future__ import annotations

from collections.abc import Iterator

import lightning as L
from torch.utils.data import DataLoader, IterableDataset

from speech.data.batches import Batch, EvalBatches, TrainBatches
from speech.errors import ConfigError
from speech.train.config import DataConfig


class Stream(IterableDataset[Batch]):
    """Batches `start .. stop` of an endless run: one that resumes reads what the first would have read.

    Args:
        batches: of an epoch; its `share` says which are this rank's.
        start: first batch of this rank.
        stop: batches of this rank from the very beginning to the end of the run.

    Raises:
        ConfigError: while iterating, if an epoch has fewer batches than there are processes.
    """

    def __init__(self, batches: TrainBatches, start: int, stop: int) -> None:
        super().__init__()
        self.batches = batches
        self.start = start
        self.stop = stop

    def __iter__(self) -> Iterator[Batch]:
        position, epoch = 0, 0
        while position < self.stop:
            self.batches.set_epoch(epoch)
            size = len(self.batches)
            if size == 0:
                raise ConfigError("fewer batches than processes", fix="Lower data.batches.batch_s or trainer.devices.")
            if position + size > self.start:
                self.batches.set_epoch(epoch, max(0, self.start - position))
                yield from self.batches
            position += size
            epoch += 1


class SpeechData(L.LightningDataModule):
    """Loaders, built once Lightning knows how many processes train together.

    Args:
        train: batches of an epoch.
        dev: batches of the validation, the same in each process.
        start: batches per process that an interrupted run has used.
        stop: batches per process of the whole run.
        config: number of workers.
    """

    def __init__(self, train: TrainBatches, dev: EvalBatches, start: int, stop: int, config: DataConfig) -> None:
        super().__init__()
        self.train = train
        self.dev = dev
        self.start = start
        self.stop = stop
        self.workers = config.workers

    def train_dataloader(self) -> DataLoader[Batch]:
        """Endless; the trainer stops at its last step."""
        assert self.trainer is not None
        self.train.share = (self.trainer.global_rank, self.trainer.world_size)
        stream = Stream(self.train, self.start, self.stop)
        ahead = 4 if self.workers else None
        return DataLoader(stream, batch_size=None, num_workers=self.workers, prefetch_factor=ahead)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The whole dev part."""
        return DataLoader(self.dev, batch_size=None)
