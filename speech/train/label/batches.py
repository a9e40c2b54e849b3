"""Batches for a label decoder: single clips, joined and cut utterances, synthetic speech, and non-speech sounds.

Batch n of an epoch is drawn with its own generator, seeded by (seed, epoch, n), so it is always the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.audio.augment import WaveAugment
from speech.audio.nonspeech import nonspeech
from speech.data.manifest import Utterance
from speech.data.reading import AudioReader, Unreadable
from speech.errors import DataError
from speech.text.languages import LANGUAGES
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.train.label.config import LabelDataConfig
from speech.train.label.rows import Row, learnable, targets_of, teachable, text_of, timed

NO_TARGET = -100
_GAPS_S = (0.1, 0.7)
_NONSPEECH_S = (0.5, 12.0)
_FLOOR_DB = (-90.0, -55.0)
_MOST_TOLD = 100
"""Maximum tokens of preceding text in the prompt."""
_CONTINUED = 0.5
"""Share of clips with word times that, given context, start in the middle of the sentence."""
_TRANSLATED_NONSPEECH = 0.3
"""Share of non-speech sounds whose prompt asks for a translation."""
_TRIES = 20
"""Attempts to draw a batch with readable audio."""


@dataclass(kw_only=True, slots=True)
class LabelBatch:
    """A batch of rows, padded at the end."""

    sample_rate: ClassVar[int] = SAMPLE_RATE
    samples: Tensor
    """`(batch, samples)` float32 at 16 kHz."""
    sample_lengths: Tensor
    """`(batch,)`"""
    tokens: Tensor
    """`(batch, tokens)`: prompt and text."""
    targets: Tensor
    """`(batch, tokens)`: the next token at each position; `NO_TARGET` where there is none."""
    heard: Tensor
    """`(batch,)`: target at the start-of-transcript token: the language token, or that of no speech."""
    starts: Tensor
    """`(batch,)`: index of the start-of-transcript token, which follows the preceding text if there is some."""
    taught: Tensor
    """`(batch,)` bool: whether the row has a teacher loss."""
    learned: Tensor
    """`(batch,)` bool: whether `targets` and `heard` are trained on; otherwise only the teacher loss is."""
    ids: list[str]
    unreadable: list[Unreadable] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> LabelBatch:
        """Copy of the batch with its tensors on `device`."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {n: v.to(device, non_blocking=non_blocking) for n, v in values.items() if isinstance(v, Tensor)}
        return LabelBatch(**(values | moved))


class LabelCollator:
    """Collates rows to a `LabelBatch`: reads, joins, cuts, augments, tokenizes and pads."""

    def __init__(
        self,
        tokenizer: LabelTokenizer,
        config: LabelDataConfig,
        augment: WaveAugment | None,
        most_tokens: int,
        *,
        cache: bool = False,
    ) -> None:
        self._tokenizer, self._config, self._augment = tokenizer, config, augment
        self._most_tokens = most_tokens
        self._read = AudioReader(cache)
        self._languages = [code for code in tokenizer.languages if code in LANGUAGES]

    def __call__(self, rows: Sequence[Row], rng: np.random.Generator, *, plain: bool = False) -> LabelBatch | None:
        """Collate one batch; None if no row is usable. `plain` disables augmentation and random silence.

        Rows with more tokens than the decoder can write are left out.
        """
        unreadable: list[Unreadable] = []
        read: list[tuple[np.ndarray, Row]] = []
        for row in rows:
            heard = [self._read(utterance) for utterance in row.utterances]
            failed = [one for one in heard if isinstance(one, Unreadable)]
            unreadable += failed
            if not failed:
                samples = self._samples(row, [s for s in heard if isinstance(s, np.ndarray)], rng, plain)
                read.append((samples, row))
        texts = [self._written(row, rng) for _, row in read]
        fitting = [n for n, (tokens, _, _) in enumerate(texts) if len(tokens) <= self._most_tokens]
        made, written = [read[n] for n in fitting], [texts[n] for n in fitting]
        if not made:
            return None
        width = max(len(tokens) for tokens, _, _ in written)
        tokens = np.full((len(made), width), self._tokenizer.end)
        targets = np.full((len(made), width), NO_TARGET)
        for n, (own, following, _) in enumerate(written):
            tokens[n, : len(own)], targets[n, : len(own)] = own, following
        longest = max(len(samples) for samples, _ in made)
        padded = np.zeros((len(made), longest), np.float32)
        for n, (samples, _) in enumerate(made):
            padded[n, : len(samples)] = samples
        return LabelBatch(
            samples=torch.from_numpy(padded),
            sample_lengths=torch.tensor([len(samples) for samples, _ in made]),
            tokens=torch.from_numpy(tokens),
            targets=torch.from_numpy(targets),
            heard=torch.tensor([heard for _, _, heard in written]),
            starts=torch.tensor([tokens.index(self._tokenizer.start) for tokens, _, _ in written]),
            taught=torch.tensor([self._taught(row) for _, row in made]),
            learned=torch.tensor([not row.synthetic for _, row in made]),
            ids=["+".join(u.id for u in row.utterances) or "nonspeech" for _, row in made],
            unreadable=unreadable,
        )

    def _taught(self, row: Row) -> bool:
        """Whether the teacher is used: for synthetic and joined rows, except in languages added to the tokenizer."""
        asked = row.synthetic or (row.joined and row.words is None)
        return asked and row.utterances[0].language not in self._tokenizer.added

    def _samples(self, row: Row, heard: list[np.ndarray], rng: np.random.Generator, plain: bool) -> np.ndarray:
        if not row.utterances:
            return nonspeech(int(rng.uniform(*_NONSPEECH_S) * SAMPLE_RATE), rng)
        parts: list[np.ndarray] = []
        for n, samples in enumerate(heard):
            parts += [self._quiet(rng.uniform(*_GAPS_S), rng)] if n else []
            parts.append(samples)
        if row.words is not None:
            end_s = row.utterances[0].words[row.words - 1].end_s
            parts = [parts[0][: int(end_s * SAMPLE_RATE)]]
        if row.since:
            start_s = row.utterances[0].words[row.since].start_s
            parts = [parts[0][int(start_s * SAMPLE_RATE) :]]
        samples = np.concatenate(parts)
        if not plain and self._augment is not None and rng.random() < self._config.augment:
            samples = self._augment(samples, rng)
        if row.words is not None:
            return samples
        tail_s = 0.2 if plain else float(rng.choice(self._config.tails_s))
        return np.concatenate([samples, self._quiet(tail_s, rng)])

    def _quiet(self, seconds: float, rng: np.random.Generator) -> np.ndarray:
        floor = 10 ** (rng.uniform(*_FLOOR_DB) / 20)
        return rng.standard_normal(round(seconds * SAMPLE_RATE), dtype=np.float32) * np.float32(floor)

    def _written(self, row: Row, rng: np.random.Generator) -> tuple[list[int], list[int], int]:
        """Tokens, the target at each position, and the target at the start-of-transcript token."""
        tokenizer = self._tokenizer
        if not row.utterances:
            language, translated = str(rng.choice(self._languages)), rng.random() < _TRANSLATED_NONSPEECH
            targets = self._config.targets if translated else [None]
            prompt = tokenizer.prompt(language, target=targets[int(rng.integers(len(targets)))])
            return prompt, [*[NO_TARGET] * (len(prompt) - 1), tokenizer.end], tokenizer.no_speech
        language = row.utterances[0].language
        text, end = text_of(row), [tokenizer.end] if row.words is None else [NO_TARGET]
        told = self._told(row.before, language)
        prompt, ids = tokenizer.prompt(language, target=row.target, before=told), tokenizer.encode(text)
        return [*prompt, *ids], [*[NO_TARGET] * (len(prompt) - 1), *ids, *end], tokenizer.language_id(language)

    def _told(self, before: str, language: str) -> list[int]:
        """Tokens of the end of the preceding text, cut between words where the script has spaces."""
        space = " " if LANGUAGES[language].spaces else ""
        words = before.split()
        while len(tokens := self._tokenizer.encode(space + " ".join(words))) > _MOST_TOLD and len(words) > 1:
            words = words[1:]
        return tokens[-_MOST_TOLD:] if words else []


class _LanguagePool:
    """Draws utterances; a language's probability is the number of its utterances to a power, normalised."""

    def __init__(self, utterances: Sequence[Utterance], power: float) -> None:
        self._by_language: dict[str, list[Utterance]] = defaultdict(list)
        for utterance in utterances:
            self._by_language[utterance.language].append(utterance)
        counts = np.array([len(own) for own in self._by_language.values()], float) ** power
        self._codes, self._shares = list(self._by_language), counts / counts.sum()

    def draw(self, rng: np.random.Generator) -> Utterance:
        own = self._by_language[self._codes[int(rng.choice(len(self._codes), p=self._shares))]]
        return own[int(rng.integers(len(own)))]

    def neighbours(self, count: int, drawn: int, rng: np.random.Generator) -> list[Utterance]:
        """Draw `drawn` utterances and return `count` of them that are adjacent in length."""
        found = sorted((self.draw(rng) for _ in range(drawn)), key=lambda u: u.duration_s)
        first = int(rng.integers(max(len(found) - count, 0) + 1))
        return found[first : first + count]


class LabelBatches:
    """Training batches by epoch and index.

    Args:
        utterances: the corpus; utterances that are not `learnable` are left out.
        tokenizer: tokenizer of the decoder.
        config: composition of the batches.
        most_tokens: maximum length of prompt and text that the decoder supports.
        seed: seeds all random choices, together with epoch and index.
        augment: waveform augmentation; None disables it.
        cache: cache decoded audio in memory, in each loader process.
        synthetic: speech with only the teacher's targets; utterances in languages that the teacher does not know are
            left out.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: LabelTokenizer,
        config: LabelDataConfig,
        most_tokens: int,
        seed: int,
        augment: WaveAugment | None,
        *,
        cache: bool = False,
        synthetic: Sequence[Utterance] = (),
    ) -> None:
        self.utterances, self.synthetic = learnable(utterances, tokenizer), teachable(synthetic, tokenizer)
        self._collate = LabelCollator(tokenizer, config, augment, most_tokens, cache=cache)
        self._config, self._seed = config, seed
        self._by_speaker: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
        for utterance in self.utterances:
            self._by_speaker[utterance.language, utterance.source].append(utterance)
        self._pool, self._spoken = (_LanguagePool(u, config.language_power) for u in (self.utterances, self.synthetic))

    def size(self, epoch: int) -> int:
        """Number of batches in an epoch."""
        return self._config.epoch if self.utterances else 0

    def batch(self, epoch: int, index: int) -> LabelBatch:
        """Batch `index` of an epoch.

        Raises:
            DataError: if no audio can be read in many attempts.
        """
        rng = np.random.default_rng((self._seed, epoch, 3, index))
        for _ in range(_TRIES):
            found = self._collate(self._rows(rng), rng)
            if found is not None:
                return found
        raise DataError("no utterance of many batches can be read", fix="Look at the audio files of the manifest.")

    def _rows(self, rng: np.random.Generator) -> list[Row]:
        config = self._config
        if self.synthetic and rng.random() < config.synthetic_share:
            spoken = self._spoken.neighbours(config.synthetic_rows, 4 * config.synthetic_rows, rng)
            return [Row((u,), target=self._target(u, rng), synthetic=True) for u in spoken]
        if rng.random() < config.joined:
            rows = [self._joined(rng) for _ in range(config.joined_rows)]
        else:
            rows = [self._single(u, rng) for u in self._pool.neighbours(config.single, config.drawn, rng)]
        return [Row(()) if rng.random() < config.nonspeech else row for row in rows]

    def _single(self, utterance: Utterance, rng: np.random.Generator) -> Row:
        if self._tells(rng):
            return self._continued(utterance, rng)
        if len(utterance.words) > 2 and rng.random() < self._config.cut:
            words = int(rng.integers(1, len(utterance.words)))
            return Row((utterance,), words=words if timed(utterance) else None)
        return Row((utterance,), target=self._target(utterance, rng))

    def _target(self, utterance: Utterance, rng: np.random.Generator) -> str | None:
        """Draws whether the utterance is translated, and if several languages are possible, into which."""
        possible = targets_of(utterance, self._config)
        if not possible or rng.random() >= self._config.translate:
            return None
        return possible[int(rng.integers(len(possible)))] if len(possible) > 1 else possible[0]

    def _tells(self, rng: np.random.Generator) -> bool:
        """Whether a row gets preceding text; draws no random number if `context` is 0."""
        return self._config.context > 0 and bool(rng.random() < self._config.context)

    def _continued(self, utterance: Utterance, rng: np.random.Generator) -> Row:
        """Either the rest of a sentence after its beginning, or a clip after the text of another clip of its source."""
        if timed(utterance) and len(utterance.words) > 2 and rng.random() < _CONTINUED:
            since = int(rng.integers(1, len(utterance.words) - 1))
            return Row((utterance,), since=since, before=" ".join(utterance.text.split()[:since]))
        pool = [u for u in self._by_speaker[utterance.language, utterance.source] if u.text != utterance.text]
        return Row((utterance,), before=pool[int(rng.integers(len(pool)))].text if pool else "")

    def _joined(self, rng: np.random.Generator) -> Row:
        """Utterances of one language and source, joined."""
        first = self._pool.draw(rng)
        pool = self._by_speaker[first.language, first.source]
        target = self._target(first, rng)
        if target is not None:
            pool = [u for u in pool if target in targets_of(u, self._config)]
        shortest_s, longest_s = self._config.joined_s
        wanted_s, total_s, chosen = rng.uniform(shortest_s, longest_s), 0.0, list[Utterance]()
        for place in rng.permutation(len(pool))[:40]:
            utterance = pool[int(place)]
            if total_s + utterance.duration_s + _GAPS_S[1] <= wanted_s:
                chosen.append(utterance)
                total_s += utterance.duration_s + _GAPS_S[1]
        if len(chosen) > 1 and target is None and self._tells(rng):
            return Row(tuple(chosen[1:]), joined=True, before=chosen[0].text)
        return Row(tuple(chosen), target=target, joined=True) if chosen else Row((first,))
