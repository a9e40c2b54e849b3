"""Plan an epoch before any audio is read: examples with their silences and tasks, and batches.

Lhotse's `DynamicBucketingSampler` (1.33) is not used: the last cut of a batch may exceed the limit, and the order of
buckets depends on the loader's worker.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from speech.data.manifest import Utterance
from speech.errors import ConfigError
from speech.ranges import check, ranged

_EDGE_SILENCE_S = 0.4
_SHORTEST_GAP_S = 0.1
_SAME_LANGUAGE_PROBABILITY = 0.8


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """Batching options.

    Raises:
        ConfigError: if durations contradict each other or a number is out of range.
    """

    batch_s: float = ranged(80.0, above=0)
    """Maximum seconds of a batch, including padding, before speed augmentation."""
    max_s: float = ranged(30.0, above=0)
    """Maximum seconds of an example; longer utterances are dropped."""
    min_s: float = ranged(0.1, least=0)
    """Minimum seconds; shorter utterances are dropped."""
    min_token_s: float = ranged(0.04, least=0)
    """Minimum seconds per token; denser utterances are dropped, as a CTC encoder has too few frames for them."""
    st_probability: float = ranged(0.15, least=0, most=1)
    """Probability that an utterance with translations trains translation."""
    language_given_probability: float = ranged(0.5, least=0, most=1)
    """Probability that an example has its language in the prefix instead of <nolang>."""
    concatenate_probability: float = ranged(0.4, least=0, most=1)
    """Probability that an example concatenates several utterances, if enough short ones are left."""
    concatenate_max_s: float = ranged(20.0, least=0)
    concatenate_gap_s: float = ranged(0.6, least=_SHORTEST_GAP_S)
    """Maximum silence between concatenated utterances in seconds; the minimum is 0.1."""
    buckets: int = ranged(20, least=1)
    """Number of length buckets, of equal total duration; examples of one bucket are batched together."""
    seed: int = ranged(0, least=0, most=2**32 - 1)

    def __post_init__(self) -> None:
        check(self, "data.batches")
        if not 0 <= self.min_s < self.max_s <= self.batch_s or self.concatenate_max_s > self.max_s:
            raise ConfigError(
                f"data.batches: min_s {self.min_s}, max_s {self.max_s}, batch_s {self.batch_s}, "
                f"concatenate_max_s {self.concatenate_max_s}",
                fix="Let 0 <= min_s < max_s <= batch_s and concatenate_max_s <= max_s.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row of a batch: one utterance or several concatenated, with silence around and between them."""

    utterances: tuple[Utterance, ...]
    silences_s: tuple[float, ...]
    """Silences before the first utterance, between utterances and after the last: one more than utterances."""
    translate_to: str | None = None
    """ISO 639-3 code of the target translation; None: the target is the transcript."""
    language_given: bool = False

    @property
    def duration_s(self) -> float:
        """Seconds, including silences."""
        return sum(u.duration_s for u in self.utterances) + sum(self.silences_s)

    @property
    def language(self) -> str | None:
        """ISO 639-3 code of the spoken language, or None if there are several."""
        languages = {code for utterance in self.utterances for code in utterance.languages}
        return languages.pop() if len(languages) == 1 else None


def plan_epoch(utterances: Sequence[Utterance], config: BatchConfig, epoch: int) -> list[list[Example]]:
    """Plan the batches of an epoch: a pure function that reads no audio.

    Every utterance of `min_s` to `max_s` occurs exactly once, and no batch has more than `batch_s` padded seconds.

    Args:
        utterances: the corpus, or one epoch's selection of it, with only those translations that may be trained on.
        config: batching options.
        epoch: seeds all random choices, together with `config.seed`.
    """
    rng = np.random.default_rng((config.seed, epoch))
    fitting = [u for u in utterances if config.min_s <= u.duration_s <= config.max_s]
    examples = [_example(group, translate_to, config, rng) for group, translate_to in _grouped(fitting, config, rng)]
    batches = _bucketed(examples, config)
    return [batches[index] for index in rng.permutation(len(batches))]


def plan_in_order(
    utterances: Sequence[Utterance], batch_s: float, translate_to: str | None = None, language_given: bool = False
) -> list[list[Example]]:
    """Plan deterministic batches of single utterances, from short to long, dropping none for its length.

    Args:
        utterances: utterances to batch; with `translate_to`, those without that translation are left out.
        batch_s: maximum padded seconds of a batch; a longer utterance is a batch of its own.
        translate_to: ISO 639-3 code of the target, or None for transcripts.
        language_given: whether the prefix names the language.
    """
    examples = [
        Example(
            utterances=(utterance,),
            silences_s=(0.0, 0.0),
            translate_to=translate_to,
            language_given=language_given,
        )
        for utterance in sorted(utterances, key=lambda u: (u.duration_s, u.id))
        if translate_to is None or translate_to in utterance.translations
    ]
    return list(_filled(examples, batch_s))


class _ShuffledPool:
    """Pool of shuffled utterances, each taken once, from any language or a given one."""

    def __init__(self, utterances: Sequence[Utterance], order: Sequence[int]) -> None:
        self._utterances = utterances
        self._taken = [False] * len(utterances)
        self._any = list(order)
        self._of_language: dict[str, list[int]] = {}
        for index in order:
            self._of_language.setdefault(utterances[index].language, []).append(index)

    def take(self, index: int) -> bool:
        """Mark an utterance as taken; False if it already was."""
        taken, self._taken[index] = self._taken[index], True
        return not taken

    def take_next(self, language: str | None, longest_s: float) -> Utterance | None:
        """Take the next utterance of `language` (None: any); None if there is none or it is longer than `longest_s`."""
        stack = self._any if language is None else self._of_language[language]
        while stack and self._taken[stack[-1]]:
            stack.pop()
        if not stack or self._utterances[stack[-1]].duration_s > longest_s:
            return None
        index = stack.pop()
        self._taken[index] = True
        return self._utterances[index]


def _grouped(
    utterances: Sequence[Utterance], config: BatchConfig, rng: np.random.Generator
) -> Iterator[tuple[list[Utterance], str | None]]:
    """Yield groups of utterances to concatenate, often just one, each with its translation target, if any."""
    order = rng.permutation(len(utterances)).tolist()
    to_translate: list[tuple[list[Utterance], str | None]] = []
    to_transcribe: list[int] = []
    for index in order:
        # Translation is drawn first: concatenated utterances have no common translation.
        targets = sorted(utterances[index].translations)
        if targets and rng.random() < config.st_probability:
            to_translate.append(([utterances[index]], targets[rng.integers(len(targets))]))
        else:
            to_transcribe.append(index)
    yield from to_translate
    pool = _ShuffledPool(utterances, to_transcribe)
    for index in to_transcribe:
        if not pool.take(index):
            continue
        group = [utterances[index]]
        if rng.random() < config.concatenate_probability:
            language = utterances[index].language if rng.random() < _SAME_LANGUAGE_PROBABILITY else None
            longest_s = rng.uniform(group[0].duration_s, max(group[0].duration_s, config.concatenate_max_s))
            used_s = group[0].duration_s + config.concatenate_gap_s
            while (following := pool.take_next(language, longest_s - used_s)) is not None:
                group.append(following)
                used_s += following.duration_s + config.concatenate_gap_s
        yield group, None


def _example(
    group: list[Utterance], translate_to: str | None, config: BatchConfig, rng: np.random.Generator
) -> Example:
    gaps_s = rng.uniform(_SHORTEST_GAP_S, config.concatenate_gap_s, size=len(group) - 1).tolist()
    spare_s = config.max_s - sum(utterance.duration_s for utterance in group) - sum(gaps_s)
    before_s, after_s = rng.uniform(0.0, max(0.0, min(_EDGE_SILENCE_S, spare_s / 2)), size=2).tolist()
    return Example(
        utterances=tuple(group),
        silences_s=(before_s, *gaps_s, after_s),
        translate_to=translate_to,
        language_given=bool(rng.random() < config.language_given_probability),
    )


def _bucketed(examples: Sequence[Example], config: BatchConfig) -> list[list[Example]]:
    """Batch examples by length bucket, in order; each bucket's last batch is re-batched with others, by length."""
    bounds_s = _bucket_bounds(sorted(example.duration_s for example in examples), config.buckets)
    buckets: list[list[Example]] = [[] for _ in range(len(bounds_s) + 1)]
    for example in examples:
        buckets[bisect_right(bounds_s, example.duration_s)].append(example)
    batches: list[list[Example]] = []
    left_over: list[Example] = []
    for bucket in buckets:
        *full, last = list(_filled(bucket, config.batch_s)) or [[]]
        batches += full
        left_over += last
    left_over.sort(key=lambda example: example.duration_s)
    return batches + list(_filled(left_over, config.batch_s))


def _bucket_bounds(durations_s: Sequence[float], buckets: int) -> list[float]:
    """At most `buckets - 1` ascending bounds between buckets of equal total duration; `durations_s` must ascend."""
    total_s = math.fsum(durations_s)
    bounds_s: list[float] = []
    sum_s = 0.0
    for duration_s in durations_s:
        sum_s += duration_s
        if sum_s > total_s * (len(bounds_s) + 1) / buckets and len(bounds_s) < buckets - 1:
            bounds_s.append(duration_s)
    return sorted(set(bounds_s))


def _filled(examples: Sequence[Example], batch_s: float) -> Iterator[list[Example]]:
    """Yield batches of consecutive examples, of at most `batch_s` padded seconds or one example each."""
    batch: list[Example] = []
    longest_s = 0.0
    for example in examples:
        longest_s = max(longest_s, example.duration_s)
        if batch and longest_s * (len(batch) + 1) > batch_s:
            yield batch
            batch, longest_s = [], example.duration_s
        batch.append(example)
    if batch:
        yield batch
