"""Dev set of a translation policy, and which utterances it learns from; training batches are those of the decoder."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import IterableDataset

from speech.data.manifest import Utterance
from speech.data.reading import Tally
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.train.label.batches import LabelBatch, LabelCollator
from speech.train.label.config import LabelDataConfig
from speech.train.label.rows import Row, learnable, targets_of
from speech.train.translation.config import TranslationConfig

_GAP_S = 0.7
"""Longest gap between joined utterances."""


def translatable(
    utterances: Sequence[Utterance], tokenizer: LabelTokenizer, config: LabelDataConfig
) -> list[Utterance]:
    """The `learnable` utterances with a translation that is trained."""
    return [u for u in learnable(utterances, tokenizer) if targets_of(u, config)]


class TranslationDev(IterableDataset[LabelBatch]):
    """Utterances of one language and source joined to as long rows as `label.joined_s` allows, in their order, each
    translated and unaugmented; at most `dev_rows` rows, evenly from all of them."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: LabelTokenizer,
        config: TranslationConfig,
        most_tokens: int,
        unreadable: Tally,
    ) -> None:
        super().__init__()
        self._collate = LabelCollator(tokenizer, config.label, None, most_tokens)
        self._unreadable, self._size = unreadable, config.label.joined_rows
        rows = joined_rows(translatable(utterances, tokenizer, config.label), config.label)
        chosen = np.linspace(0, len(rows) - 1, min(len(rows), config.dev_rows)).round().astype(int)
        self.rows = sorted((rows[n] for n in chosen), key=lambda row: row.duration_s)

    def __len__(self) -> int:
        return -(-len(self.rows) // self._size)

    def __iter__(self) -> Iterator[LabelBatch]:
        rng = np.random.default_rng(0)
        for start in range(0, len(self.rows), self._size):
            batch = self._collate(self.rows[start : start + self._size], rng, plain=True)
            if batch is not None:
                self._unreadable.add(batch.unreadable)
                self._unreadable.check()
                yield batch


def joined_rows(utterances: Sequence[Utterance], config: LabelDataConfig) -> list[Row]:
    """Join utterances of one language and source, in their order, while they are at most as long as `joined_s` allows,
    with gaps; the rows are translated into the possible languages in turn."""
    by_source: dict[tuple[str, str, str], list[Utterance]] = defaultdict(list)
    taken: Counter[tuple[str, str]] = Counter()
    for utterance in utterances:
        place, targets = (utterance.language, utterance.source), targets_of(utterance, config)
        by_source[*place, targets[taken[place] % len(targets)]].append(utterance)
        taken[place] += 1
    rows: list[Row] = []
    for (_, _, target), own in by_source.items():
        together, total_s = [own[0]], own[0].duration_s
        for utterance in own[1:]:
            total_s += utterance.duration_s + _GAP_S
            if total_s > config.joined_s[1]:
                rows.append(Row(tuple(together), target=target, joined=True))
                together, total_s = [], utterance.duration_s
            together.append(utterance)
        rows.append(Row(tuple(together), target=target, joined=True))
    return rows
