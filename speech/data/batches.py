"""Batches for training and evaluation: plan -> audio and tokens -> `SpeechBatch`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from speech.audio import SAMPLE_RATE
from speech.audio.augment import WaveAugment
from speech.data.manifest import Utterance
from speech.data.mixing import epoch_plan
from speech.data.plan import BatchConfig, Example, plan_epoch, plan_in_order
from speech.data.reading import AudioReader, Tally, Unreadable
from speech.errors import DataError
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import Vocabulary

__all__ = ["BatchConfig", "EvalBatches", "Example", "SpeechBatch", "TrainBatches", "plan_epoch"]

_log = logging.getLogger(__name__)

# Noise floor of the silence inserted around utterances, in dB of full scale.
_SILENCE_DB = (-90.0, -60.0)


class Stretch(NamedTuple):
    """A stretch of audio in one language."""

    start_s: float
    end_s: float
    language: int
    """Index in `vocabulary.languages`."""


@dataclass(kw_only=True, slots=True)
class SpeechBatch:
    """A batch of examples, zero-padded at the end."""

    sample_rate: ClassVar[int] = SAMPLE_RATE
    samples: Tensor
    """(batch, samples) float32 at 16 kHz."""
    sample_lengths: Tensor
    """(batch,) int64."""
    asr_tokens: Tensor
    """(batch, tokens) int64: the transcripts."""
    asr_lengths: Tensor
    """(batch,) int64."""
    tokens: Tensor
    """(batch, tokens) int64: the target text of the task, a transcript or a translation."""
    token_lengths: Tensor
    """(batch,) int64."""
    prefix: Tensor
    """(batch, 2) int64: id of the language or of <nolang>, id of the task."""
    languages: Tensor
    """(batch,) int64: index in `vocabulary.languages`; -1 if mixed or not in the vocabulary."""
    stretches: list[list[Stretch]]
    """Language stretches of each example with several languages; empty for other examples."""
    codes: list[str]
    """ISO 639-3 code of the spoken language, even if the vocabulary lacks it; "" if mixed."""
    ids: list[str]
    """Utterance ids, joined with "+" if an example has several."""
    unreadable: list[Unreadable] = field(default_factory=list)
    """Utterances missing from the batch because their audio is unreadable."""

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SpeechBatch:
        """Return the batch with its tensors on `device`."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> SpeechBatch:
        """Return the batch in pinned memory; called by the DataLoader."""
        return self._map(Tensor.pin_memory)

    def _map(self, change: Callable[[Tensor], Tensor]) -> SpeechBatch:
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        return SpeechBatch(**values)


class Collator:
    """Makes a `SpeechBatch` from examples: reads audio, tokenizes, pads.

    Args:
        tokenizer: the model's tokenizer, whose vocabulary gives the ids of languages and tasks.
        text: normalises a transcript or translation for training.
        augment: augments each example's samples; None: no augmentation.
        cache: cache all decoded audio in memory, as int16 (115 MB per hour), in each reading process.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        text: Callable[[str], str],
        augment: WaveAugment | None = None,
        cache: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._vocabulary: Vocabulary = tokenizer.vocabulary
        self._text = text
        self._augment = augment
        self._read = AudioReader(cache)

    def encode(self, texts: Sequence[str]) -> list[int]:
        """Token ids of texts spoken in sequence."""
        return self._tokenizer.encode(" ".join(self._text(text) for text in texts))

    def __call__(
        self, examples: Sequence[Example], rng: np.random.Generator, *, plain: bool = False
    ) -> SpeechBatch | list[Unreadable]:
        """Make one batch; `rng` draws noise and augmentation, and `plain` disables augmentation.

        Unreadable utterances are left out and listed in the batch. If none is readable, only the list is returned.
        """
        read = [(utterance, self._read(utterance)) for example in examples for utterance in example.utterances]
        loaded = {id(utterance): samples for utterance, samples in read if not isinstance(samples, Unreadable)}
        unreadable = [samples for _, samples in read if isinstance(samples, Unreadable)]
        if unreadable:
            examples = [kept for example in examples if (kept := _readable(example, loaded)) is not None]
        if not examples:
            return unreadable
        heard = [self._samples(example, loaded, rng, plain) for example in examples]
        samples = [one for one, _ in heard]
        asr_tokens = [self.encode([u.text for u in example.utterances]) for example in examples]
        tokens = [
            transcript
            if example.translate_to is None
            else self.encode([u.translations[example.translate_to] for u in example.utterances])
            for example, transcript in zip(examples, asr_tokens, strict=True)
        ]
        padded_samples, sample_lengths = _padded(samples, torch.float32)
        padded_asr_tokens, asr_lengths = _padded(asr_tokens, torch.int64)
        padded_tokens, token_lengths = _padded(tokens, torch.int64)
        return SpeechBatch(
            samples=padded_samples,
            sample_lengths=sample_lengths,
            asr_tokens=padded_asr_tokens,
            asr_lengths=asr_lengths,
            tokens=padded_tokens,
            token_lengths=token_lengths,
            prefix=torch.tensor([self._prefix(example) for example in examples]),
            languages=torch.tensor([self._language_index(example) for example in examples]),
            stretches=[self._stretches(one, slower) for one, (_, slower) in zip(examples, heard, strict=True)],
            codes=[example.language or "" for example in examples],
            ids=["+".join(u.id for u in example.utterances) for example in examples],
            unreadable=unreadable,
        )

    def _language_index(self, example: Example) -> int:
        languages = self._vocabulary.languages
        return languages.index(example.language) if example.language in languages else -1

    def _prefix(self, example: Example) -> tuple[int, int]:
        vocabulary = self._vocabulary
        if example.translate_to is None:
            task = vocabulary.task_id("asr")
        else:
            task = vocabulary.task_id("st", to=example.translate_to)
        if example.language_given and example.language in vocabulary.languages:
            return vocabulary.language_id(example.language), task
        return vocabulary.nolang, task

    def _stretches(self, example: Example, slower: float) -> list[Stretch]:
        """Language stretches of an example with several languages; `slower` is the factor of its new duration."""
        if example.language is not None:
            return []
        found: list[Stretch] = []
        at_s = 0.0
        for silence_s, utterance in zip(example.silences_s, example.utterances, strict=False):
            at_s += silence_s
            for code, start_s, end_s in _spoken(utterance):
                if code in self._vocabulary.languages:
                    index = self._vocabulary.languages.index(code)
                    found.append(Stretch((at_s + start_s) * slower, (at_s + end_s) * slower, index))
            at_s += utterance.duration_s
        return found

    def _samples(
        self, example: Example, loaded: Mapping[int, np.ndarray], rng: np.random.Generator, plain: bool
    ) -> tuple[np.ndarray, float]:
        """Return an example's augmented samples `(n,)` float32, and the factor by which they became longer."""
        floor = 10 ** (rng.uniform(*_SILENCE_DB) / 20)
        parts: list[np.ndarray] = []
        for silence_s, utterance in zip(example.silences_s, (*example.utterances, None), strict=True):
            silence_samples = round(silence_s * SAMPLE_RATE)
            if silence_samples:
                parts.append(rng.standard_normal(silence_samples, dtype=np.float32) * np.float32(floor))
            if utterance is not None:
                parts.append(loaded[id(utterance)])
        samples = np.concatenate(parts)
        if plain or self._augment is None:
            return samples, 1.0
        changed = self._augment(samples, rng)
        return changed, len(changed) / max(len(samples), 1)


class TrainBatches:
    """Training batches of all epochs, by epoch and index.

    Utterances that are too short, too long, or have no tokens or too many for their duration are dropped. Translations
    are dropped if they have too many tokens or the vocabulary has no task for them. The log reports the numbers.

    Args:
        utterances: the corpus.
        tokenizer: the model's tokenizer.
        config: batching options.
        augment: augments each example's samples; None: no augmentation.
        text: normalises texts for training.
        weights: language -> share of an epoch's seconds (`speech.data.mixing`); None: the corpus unchanged.
        cache: cache decoded audio in memory, in each process that makes batches.
        plain_epochs: number of first epochs without `augment`.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Tokenizer,
        config: BatchConfig,
        augment: WaveAugment | None,
        text: Callable[[str], str],
        *,
        weights: Mapping[str, float] | None = None,
        cache: bool = False,
        plain_epochs: int = 0,
    ) -> None:
        self._collator = Collator(tokenizer, text, augment, cache)
        self._plain_epochs = plain_epochs
        self._config = config
        self._weights = None if weights is None else dict(weights)
        self.utterances = _trainable(utterances, self._collator.encode, tokenizer.vocabulary, config)
        self._planned: tuple[int, list[list[Example]]] | None = None

    def plan(self, epoch: int) -> list[list[Example]]:
        """Plan all batches of an epoch; the last requested plan is cached."""
        if self._planned is None or self._planned[0] != epoch:
            utterances = self.utterances
            if self._weights is not None:
                total_s = sum(utterance.duration_s for utterance in utterances)
                rng = np.random.default_rng((self._config.seed, epoch, 1))
                utterances = epoch_plan(utterances, self._weights, total_s, rng)
            self._planned = epoch, plan_epoch(utterances, self._config, epoch)
        return self._planned[1]

    def size(self, epoch: int) -> int:
        """Number of batches of an epoch."""
        return len(self.plan(epoch))

    def batch(self, epoch: int, index: int) -> SpeechBatch:
        """Return batch `index` of an epoch; deterministic as long as the files do not change.

        If none of its utterances is readable, the next batch with a readable utterance replaces it.

        Raises:
            IndexError: if the epoch has no such batch.
            DataError: if no utterance of the epoch is readable.
        """
        plan, unreadable = self.plan(epoch), list[Unreadable]()
        if not 0 <= index < len(plan):
            raise IndexError(f"no batch {index} in epoch {epoch}, which has {len(plan)}")
        for number in (*range(index, len(plan)), *range(index)):
            rng = np.random.default_rng((self._config.seed, epoch, 2, number))
            found = self._collator(plan[number], rng, plain=epoch < self._plain_epochs)
            if isinstance(found, SpeechBatch):
                found.unreadable += unreadable
                return found
            unreadable += found
        raise DataError(f"no utterance can be read, the last is {unreadable[-1].id}: {unreadable[-1].reason}")


class EvalBatches(IterableDataset[SpeechBatch]):
    """Evaluation batches: every utterance once, from short to long, unaugmented; for a DataLoader, `batch_size=None`.

    Args:
        utterances: evaluation set.
        tokenizer: the model's tokenizer.
        batch_s: maximum padded seconds of a batch; a longer utterance is a batch of its own.
        text: normalises texts for training.
        translate_to: ISO 639-3 code; evaluate translation into it, on the utterances with such a translation.
        language_given: name the language in the prefix.
        cache: cache decoded audio in memory.
        unreadable: counts utterances left out because their audio is unreadable; None: the first one is an error.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Tokenizer,
        batch_s: float,
        text: Callable[[str], str],
        *,
        translate_to: str | None = None,
        language_given: bool = False,
        cache: bool = False,
        unreadable: Tally | None = None,
    ) -> None:
        super().__init__()
        self._collator = Collator(tokenizer, text, None, cache)
        self._unreadable = unreadable or Tally("evaluation", len(utterances), 0.0)
        self._plan = plan_in_order(utterances, batch_s, translate_to, language_given)

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[SpeechBatch]:
        """Yield all batches, or this worker's share of them.

        Raises:
            DataError: while iterating, if too many utterances are unreadable.
        """
        rng = np.random.default_rng(0)
        for index in _share_of_worker(len(self._plan)):
            found = self._collator(self._plan[index], rng)
            self._unreadable.add(found.unreadable if isinstance(found, SpeechBatch) else found)
            self._unreadable.check()
            if isinstance(found, SpeechBatch):
                yield found


def _readable(example: Example, loaded: Mapping[int, object]) -> Example | None:
    """Remove unreadable utterances and the silence after each from an example; None if none is left."""
    kept = [place for place, utterance in enumerate(example.utterances) if id(utterance) in loaded]
    if not kept:
        return None
    silences_s = (example.silences_s[0], *(example.silences_s[place + 1] for place in kept))
    return replace(example, utterances=tuple(example.utterances[place] for place in kept), silences_s=silences_s)


def _share_of_worker(count: int) -> range:
    """Indices for this worker, such that the loader's round robin over workers keeps the order."""
    worker = get_worker_info()
    return range(count) if worker is None else range(worker.id, count, worker.num_workers)


def _trainable(
    utterances: Sequence[Utterance],
    encode: Callable[[Sequence[str]], list[int]],
    vocabulary: Vocabulary,
    config: BatchConfig,
) -> list[Utterance]:
    """Keep the utterances and translations that a CTC model can be trained on."""
    kept: list[Utterance] = []
    n_length = n_dense = n_translations = 0
    for utterance in utterances:
        if not config.min_s <= utterance.duration_s <= config.max_s:
            n_length += 1
            continue
        most_tokens = utterance.duration_s / config.min_token_s if config.min_token_s else float("inf")
        if not 0 < len(encode([utterance.text])) <= most_tokens:
            n_dense += 1
            continue
        translations = {
            target: utterance.translations[target]
            for target in (vocabulary.st_targets if config.st_probability else ())
            if target in utterance.translations and 0 < len(encode([utterance.translations[target]])) <= most_tokens
        }
        n_translations += len(translations)
        kept.append(replace(utterance, translations=translations))
    _log.info(
        "%d utterances, %d translations; dropped %d not of %g to %g s, %d with no text or more than a token per %g s",
        len(kept), n_translations, n_length, config.min_s, config.max_s, n_dense, config.min_token_s,
    )  # fmt: skip
    return kept


def _spoken(utterance: Utterance) -> Iterator[tuple[str, float, float]]:
    """Yield (language, start_s, end_s) of each run of words in one language, in order."""
    if not utterance.words:
        yield utterance.language, 0.0, utterance.duration_s
    for code, words in groupby(utterance.words, key=lambda word: word.language or utterance.language):
        group = list(words)
        yield code, group[0].start_s, group[-1].end_s


def _padded(rows: Sequence[np.ndarray | list[int]], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Zero-pad rows `(n_i,)` to `(batch, max n_i)`; also returns the lengths n_i `(batch,)` int64."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    padded = torch.zeros(len(rows), int(lengths.max()), dtype=dtype)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = torch.as_tensor(row, dtype=dtype)
    return padded, lengths
