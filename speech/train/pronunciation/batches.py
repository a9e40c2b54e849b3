"""Pronounced sentences from files, and batches of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from speech.data.reading import Unreadable
from speech.errors import DataError, SpeechError
from speech.files import printable, read_text
from speech.text.languages import resolve
from speech.text.letter_vocabulary import LetterVocabulary
from speech.train.pronunciation.config import PronunciationBatchConfig

SOURCES = "sources.json"
"""File in a corpus's folder: name and licence of each source; it may be missing."""
_log = logging.getLogger(__name__)


class PronouncedWords(NamedTuple):
    """A sentence or a single word."""

    id: str
    language: str
    words: tuple[str, ...]
    phonemes: tuple[str, ...]
    """Of each word."""


@dataclass(kw_only=True, slots=True)
class PronunciationBatch:
    """Rows of letters, and the phonemes of each of their words."""

    letters: Tensor
    """`(batch, n)`"""
    lengths: Tensor
    """`(batch,)`"""
    languages: Tensor
    """`(batch,)`"""
    rows: Tensor
    """`(words,)`: in which row a word lies."""
    spans: Tensor
    """`(words, 2)`: the place of its first mark, and one behind its last."""
    phonemes: Tensor
    """`(words, most)`, 0 behind the last."""
    phoneme_lengths: Tensor
    """`(words,)`"""
    ids: list[str]
    sample_rate: int = 1
    """Texts have no audio: the loop counts letters instead."""
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def sample_lengths(self) -> Tensor:
        """Letters of each row."""
        return self.lengths

    def __len__(self) -> int:
        return len(self.letters)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> PronunciationBatch:
        """Copy of the batch with its tensors on `device`."""
        names = ("letters", "lengths", "languages", "rows", "spans", "phonemes", "phoneme_lengths")
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        return replace(self, **moved)


def read_pronunciations(path: Path) -> list[PronouncedWords]:
    """Read a file of `recipes/tts/teacher_pronunciations.py`.

    Raises:
        DataError: naming the line, if it is not one of these, or the file is missing or empty.
    """
    where = printable(path)
    if not path.is_file():
        raise DataError("no such file", where=where, fix="Write it with recipes/tts/teacher_pronunciations.py.")
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            record = json.loads(line)
            words, phonemes = tuple(map(str, record["words"])), tuple(map(str, record["symbols"]))
            code = resolve(str(record["lang"])).code
        except (ValueError, KeyError, TypeError, RecursionError, SpeechError) as error:
            raise DataError(f"it is no pronunciation: {error}", where=f"{where}, line {number}") from error
        if not words or len(words) != len(phonemes) or not all(words) or not all(phonemes):
            text = f"{len(words)} words with {len(phonemes)} pronunciations, none of which may be empty"
            raise DataError(text, where=f"{where}, line {number}")
        found.append(PronouncedWords(f"{path.parent.name}-{number}", code, words, phonemes))
    if not found:
        raise DataError("it has no line", where=where)
    return found


def read_sources(folder: Path) -> list[tuple[str, str]]:
    """Names and licences of a corpus's sources; none if it does not tell them.

    Raises:
        DataError: if they are told in another way.
    """
    path = folder / SOURCES
    if not path.is_file():
        return []
    try:
        return [(str(name), str(licence)) for name, licence in json.loads(read_text(path))]
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"it is no list of names and licences: {error}", where=printable(path)) from error


def fitting(part: str, sentences: Sequence[PronouncedWords], repeats: int) -> list[PronouncedWords]:
    """Those whose words have a frame for each phoneme; it is logged how many have not."""
    found = [own for own in sentences if all(map(partial(_fits, repeats), own.words, own.phonemes))]
    if len(found) < len(sentences):
        _log.warning("%s: %d texts have too many phonemes: left out", part, len(sentences) - len(found))
    return found


def _fits(repeats: int, word: str, phonemes: str) -> bool:
    """Whether a word has the frames that CTC needs: one per phoneme, and one between equal ones."""
    return len(phonemes) + sum(a == b for a, b in pairwise(phonemes)) <= repeats * (len(word) + 2)


class PronunciationPacker:
    """Makes batches of sentences.

    Args:
        sentences: of one part.
        vocabulary: knows all their phonemes.
    """

    def __init__(self, sentences: Sequence[PronouncedWords], vocabulary: LetterVocabulary) -> None:
        self.sentences, self._vocabulary = sentences, vocabulary
        self.lengths = [sum(len(word) + 2 for word in own.words) for own in sentences]

    def batch(self, numbers: Sequence[int]) -> PronunciationBatch:
        """The batch of these sentences."""
        vocabulary, chosen = self._vocabulary, [self.sentences[n] for n in numbers]
        spelled = [vocabulary.spell(own.words) for own in chosen]
        lengths = torch.tensor([len(own.letters) for own in spelled])
        letters = torch.zeros(len(chosen), int(lengths.max()), dtype=torch.int64)
        for row, own in enumerate(spelled):
            letters[row, : len(own.letters)] = torch.tensor(own.letters)
        said = [vocabulary.numbers(phonemes) for own in chosen for phonemes in own.phonemes]
        phonemes = torch.zeros(len(said), max(map(len, said)), dtype=torch.int64)
        for n, one in enumerate(said):
            phonemes[n, : len(one)] = torch.tensor(one)
        return PronunciationBatch(
            letters=letters,
            lengths=lengths,
            languages=torch.tensor([vocabulary.language(own.language) for own in chosen]),
            rows=torch.tensor([row for row, own in enumerate(spelled) for _ in own.spans]),
            spans=torch.tensor([span for own in spelled for span in own.spans]),
            phonemes=phonemes,
            phoneme_lengths=torch.tensor([len(one) for one in said]),
            ids=[own.id for own in chosen],
        )


def planned(lengths: Sequence[int], letters: int, rng: np.random.Generator | None) -> list[list[int]]:
    """Batches of sentences of similar length, at most `letters` each with what fills rows up; in random order with
    `rng`, else by length."""
    if rng is None:
        order = sorted(range(len(lengths)), key=lambda n: (lengths[n], n))
    else:
        blurred = np.array(lengths) * rng.uniform(0.9, 1.1, len(lengths))
        order = [int(n) for n in blurred.argsort(kind="stable")]
    batches: list[list[int]] = []
    most = 0
    for n in order:
        most = max(most, lengths[n])
        if not batches or most * (len(batches[-1]) + 1) > letters:
            batches.append([])
            most = lengths[n]
        batches[-1].append(n)
    return batches if rng is None else [batches[int(n)] for n in rng.permutation(len(batches))]


class PronunciationBatches:
    """Training batches by epoch and index; each sentence occurs once in an epoch.

    Args:
        packer: of the training sentences.
        config: size of batches.
        seed: seeds the order, together with the epoch.
    """

    def __init__(self, packer: PronunciationPacker, config: PronunciationBatchConfig, seed: int) -> None:
        self._packer, self._letters, self._seed = packer, config.letters, seed
        self._planned: tuple[int, list[list[int]]] | None = None

    def _plan(self, epoch: int) -> list[list[int]]:
        if self._planned is None or self._planned[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch, 7))
            self._planned = epoch, planned(self._packer.lengths, self._letters, rng)
        return self._planned[1]

    def size(self, epoch: int) -> int:
        """Number of batches in an epoch."""
        return len(self._plan(epoch))

    def batch(self, epoch: int, index: int) -> PronunciationBatch:
        """Batch `index` of an epoch."""
        return self._packer.batch(self._plan(epoch)[index])


class PronunciationDev(IterableDataset[PronunciationBatch]):
    """Dev set, by length."""

    def __init__(self, packer: PronunciationPacker, config: PronunciationBatchConfig) -> None:
        super().__init__()
        self._packer, self._plan = packer, planned(packer.lengths, config.letters, None)

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[PronunciationBatch]:
        return (self._packer.batch(own) for own in self._plan)
