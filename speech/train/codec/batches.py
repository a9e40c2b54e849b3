"""Batches for a codec: random crops of the corpus at the codec's rate.

Batch n of an epoch is drawn with its own generator, seeded by (seed, epoch, n), so it is always the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from speech.data.manifest import Utterance
from speech.data.reading import AudioReader, Tally, Unreadable
from speech.errors import DataError
from speech.train.asr.config import RunConfig
from speech.train.codec.config import CropConfig
from speech.train.loop.run import RunSpeech

_TRIES = 20
"""Attempts to draw a batch with readable audio."""


@dataclass(kw_only=True, slots=True)
class CodecBatch:
    """Crops, padded at the end."""

    samples: Tensor
    """`(batch, samples)` float32 at `sample_rate`."""
    sample_lengths: Tensor
    """`(batch,)`"""
    sample_rate: int
    ids: list[str]
    unreadable: list[Unreadable] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> CodecBatch:
        """Copy of the batch with its tensors on `device`."""
        samples, lengths = (x.to(device, non_blocking=non_blocking) for x in (self.samples, self.sample_lengths))
        return replace(self, samples=samples, sample_lengths=lengths)


class CodecBatches:
    """Training batches by epoch and index.

    Args:
        utterances: the corpus.
        config: composition of the batches.
        rate: sample rate in Hz.
        seed: seeds all random choices, together with epoch and index.
        cache: cache decoded audio in memory, in each loader process.
    """

    def __init__(
        self, utterances: Sequence[Utterance], config: CropConfig, rate: int, seed: int, *, cache: bool = False
    ) -> None:
        self._config, self._rate, self._seed = config, rate, seed
        self._read = AudioReader(cache, rate)
        by_language: dict[str, list[Utterance]] = defaultdict(list)
        for utterance in utterances:
            by_language[utterance.language].append(utterance)
        self._pools = [(own, _shares(own)) for own in by_language.values()]
        seconds = np.array([sum(u.duration_s for u in own) for own, _ in self._pools]) ** config.language_power
        self._languages = seconds / seconds.sum()

    def size(self, epoch: int) -> int:
        """Number of batches in an epoch."""
        return self._config.epoch

    def batch(self, epoch: int, index: int) -> CodecBatch:
        """Batch `index` of an epoch.

        Raises:
            DataError: if no audio can be read in many attempts.
        """
        rng = np.random.default_rng((self._seed, epoch, 3, index))
        for _ in range(_TRIES):
            heard = [(u, self._read(u)) for u in (self._draw(rng) for _ in range(self._config.rows))]
            crops = [(u.id, self._crop(x, rng)) for u, x in heard if isinstance(x, np.ndarray)]
            if crops:
                return padded(crops, [x for _, x in heard if isinstance(x, Unreadable)], self._rate)
        raise DataError("no utterance of many batches can be read", fix="Look at the audio files of the manifest.")

    def _draw(self, rng: np.random.Generator) -> Utterance:
        own, shares = self._pools[int(rng.choice(len(self._pools), p=self._languages))]
        return own[int(rng.choice(len(own), p=shares))]

    def _crop(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        wanted = round(self._config.crop_s * self._rate)
        start = int(rng.integers(max(len(samples) - wanted, 0) + 1))
        crop = samples[start : start + wanted]
        gain = 10 ** (rng.uniform(-self._config.gain_db, self._config.gain_db) / 20)
        return crop * np.float32(min(gain, 1 / max(float(np.abs(crop).max()), 1e-3)))


def _shares(utterances: Sequence[Utterance]) -> np.ndarray:
    seconds = np.array([utterance.duration_s for utterance in utterances])
    return seconds / seconds.sum()


class CodecDev(IterableDataset[CodecBatch]):
    """Dev set: the beginnings of utterances evenly from all durations, from short to long, as they are."""

    def __init__(self, utterances: Sequence[Utterance], config: CropConfig, rate: int, unreadable: Tally) -> None:
        super().__init__()
        ordered = sorted(utterances, key=lambda u: (u.duration_s, u.id))
        places = np.linspace(0, len(ordered) - 1, min(len(ordered), config.dev_rows)).round().astype(int)
        self._chosen = [ordered[place] for place in places]
        self._config, self._rate, self._unreadable = config, rate, unreadable
        self._read = AudioReader(rate=rate)

    def __len__(self) -> int:
        return -(-len(self._chosen) // self._config.rows)

    def __iter__(self) -> Iterator[CodecBatch]:
        longest, rows = round(self._config.dev_s * self._rate), self._config.rows
        for start in range(0, len(self._chosen), rows):
            heard = [(u, self._read(u)) for u in self._chosen[start : start + rows]]
            failed = [x for _, x in heard if isinstance(x, Unreadable)]
            self._unreadable.add(failed)
            self._unreadable.check()
            crops = [(u.id, x[:longest]) for u, x in heard if isinstance(x, np.ndarray)]
            if crops:
                yield padded(crops, failed, self._rate)


def padded(crops: Sequence[tuple[str, np.ndarray]], unreadable: list[Unreadable], rate: int) -> CodecBatch:
    """A batch of (id, samples `(n,)`)."""
    samples = torch.zeros(len(crops), max(len(crop) for _, crop in crops))
    for row, (_, crop) in enumerate(crops):
        samples[row, : len(crop)] = torch.from_numpy(crop)
    return CodecBatch(
        samples=samples,
        sample_lengths=torch.tensor([len(crop) for _, crop in crops]),
        sample_rate=rate,
        ids=[name for name, _ in crops],
        unreadable=unreadable,
    )


def read_crops(
    config: RunConfig, crops: CropConfig, rate: int, corpus: Mapping[str, list[Utterance]]
) -> RunSpeech[CodecBatch]:
    """The corpus of a run as batches of crops at `rate` Hz."""
    most = config.data.max_unreadable
    train = CodecBatches(corpus["train"], crops, rate, config.seed, cache=config.data.cache)
    dev = CodecDev(corpus["dev"], crops, rate, Tally("dev", len(corpus["dev"]), most))
    return RunSpeech(train, dev, Tally("train", len(corpus["train"]), most), config.data.workers)
