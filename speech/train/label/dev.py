"""Dev set of a label decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset

from speech.data.manifest import Utterance
from speech.data.reading import Tally
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.train.label.batches import LabelBatch, LabelCollator
from speech.train.label.config import LabelDataConfig
from speech.train.label.rows import Row, learnable, targets_of


class LabelDev(IterableDataset[LabelBatch]):
    """Dev set: every utterance once, sorted by length, unaugmented, and once more translated, if it can be: into the
    possible languages in turn."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: LabelTokenizer,
        config: LabelDataConfig,
        most_tokens: int,
        unreadable: Tally,
    ) -> None:
        super().__init__()
        self._collate = LabelCollator(tokenizer, config, None, most_tokens)
        self._unreadable, self._size = unreadable, config.single
        ordered = sorted(learnable(utterances, tokenizer), key=lambda u: (u.duration_s, u.id))
        self._rows = [Row((u,)) for u in ordered]
        possible = [(u, targets_of(u, config)) for u in ordered]
        possible = [(u, targets) for u, targets in possible if targets]
        self._rows += [Row((u,), target=targets[n % len(targets)]) for n, (u, targets) in enumerate(possible)]

    def __len__(self) -> int:
        return -(-len(self._rows) // self._size)

    def __iter__(self) -> Iterator[LabelBatch]:
        rng: Any = np.random.default_rng(0)
        for start in range(0, len(self._rows), self._size):
            batch = self._collate(self._rows[start : start + self._size], rng, plain=True)
            if batch is not None:
                self._unreadable.add(batch.unreadable)
                self._unreadable.check()
                yield batch
