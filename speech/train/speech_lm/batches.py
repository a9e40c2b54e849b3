"""Packed batches of texts and codes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from speech.data.manifest import Utterance
from speech.data.reading import Unreadable
from speech.errors import ConfigError, DataError
from speech.models.base import Codec
from speech.models.speech_prompt import SpeechSequence, spoken_text
from speech.text.speech_vocabulary import SpeechVocabulary
from speech.train.speech_lm.config import PackingConfig
from speech.train.speech_lm.packing import EpochPlan, packed_rows

_log = logging.getLogger(__name__)

PADDING = -1
"""Segment of places behind the last request of a row."""


@dataclass(kw_only=True, slots=True)
class SpeechLmBatch:
    """Rows of requests; a request sees its own segment only."""

    tokens: Tensor
    """`(batch, places)`"""
    codes: Tensor
    """`(batch, codebooks, places)`"""
    positions: Tensor
    """`(batch, places)`, from 0 in each request."""
    segments: Tensor
    """`(batch, places)`: number of the request, or `PADDING`."""
    speakers: Tensor | None
    """`(batch, places, speaker_dim)`"""
    sample_lengths: Tensor
    """`(batch,)` samples that the frames stand for."""
    sample_rate: int
    ids: list[str]
    unreadable: list[Unreadable] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tokens)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SpeechLmBatch:
        """Copy of the batch with its tensors on `device`."""
        names = ("tokens", "codes", "positions", "segments", "speakers", "sample_lengths")
        tensors = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(self, **{name: x.to(device, non_blocking=non_blocking) for name, x in tensors.items()})


class Spoken(NamedTuple):
    """An utterance as the model reads it."""

    id: str
    speaker: str
    said: SpeechSequence
    frames: int


class SpeakerTable(NamedTuple):
    """Embeddings of speakers."""

    of: Mapping[str, Tensor]
    dim: int


def read_spoken(
    part: str,
    utterances: Sequence[Utterance],
    codes: Mapping[str, Tensor],
    vocabulary: SpeechVocabulary,
    config: PackingConfig,
    speakers: SpeakerTable | None,
) -> list[Spoken]:
    """Utterances that have codes and fit into a row; it is logged how many do not.

    Raises:
        ConfigError: if none is left.
        DataError: naming the utterance, if a text has characters without a symbol, or its speaker no embedding.
    """
    found, long = [], 0
    for utterance in utterances:
        if utterance.id not in codes:
            continue
        speaker_known(part, utterance, speakers)
        own = codes[utterance.id].long()
        try:
            said = spoken_text(vocabulary, utterance.text, utterance.language, own)
        except DataError as error:
            raise DataError(error.what, where=f"{part}, {utterance.id}", fix=error.fix) from error
        if len(said.tokens) > config.places:
            long += 1
        else:
            kept = SpeechSequence(said.tokens.int(), said.codes.to(codes[utterance.id].dtype))  # takes little memory
            found.append(Spoken(utterance.id, utterance.speaker, kept, own.shape[1]))
    if long:
        _log.warning("%s: %d utterances are longer than packing.places %d: left out", part, long, config.places)
    if not found:
        raise ConfigError(
            f"no utterance of {part} is left to train on", fix="Raise packing.places, or look at the codes."
        )
    return found


def speaker_known(part: str, utterance: Utterance, speakers: SpeakerTable | None) -> None:
    """Raise DataError, naming the utterance, if its speaker has no embedding."""
    if speakers is not None and utterance.speaker not in speakers.of:
        where, text = f"{part}, {utterance.id}", f"there is no embedding of speaker {utterance.speaker!r}"
        raise DataError(text, where=where, fix="Add it to the file that speakers names.")


class Item(Protocol):
    """An utterance that is packed."""

    @property
    def id(self) -> str: ...

    @property
    def speaker(self) -> str: ...


class Packing[B](Protocol):
    """Makes batches out of utterances."""

    @property
    def spoken(self) -> Sequence[Item]:
        """The utterances."""

    @property
    def lengths(self) -> Sequence[int]:
        """Places of each."""

    def batch(self, rows: Sequence[Sequence[Sequence[int]]]) -> B:
        """A batch of `rows` of requests, as in `EpochPlan.rows`."""


class Packer:
    """Makes batches of requests.

    Args:
        spoken: utterances.
        codec: of their codes.
        speakers: embeddings, if the model takes them.
    """

    def __init__(self, spoken: Sequence[Spoken], codec: Codec, speakers: SpeakerTable | None) -> None:
        self.spoken = spoken
        self.lengths = [len(one.said.tokens) for one in spoken]
        self._frame_samples, self._rate = codec.frame_samples, codec.sample_rate
        self._codebooks, self._speakers = codec.codebooks, speakers

    def batch(self, rows: Sequence[Sequence[Sequence[int]]]) -> SpeechLmBatch:
        """A batch of `rows` of requests, as in `EpochPlan.rows`."""
        whole = [[[self.spoken[n] for n in request] for request in row] for row in rows]
        places = max(sum(len(one.said.tokens) for request in row for one in request) for row in whole)
        shape = (len(rows), places)
        tokens, positions = (torch.zeros(shape, dtype=torch.int64) for _ in range(2))
        codes = torch.zeros(len(rows), self._codebooks, places, dtype=torch.int64)
        segments = torch.full(shape, PADDING)
        speakers = torch.zeros(*shape, self._speakers.dim) if self._speakers is not None else None
        for row, requests in enumerate(whole):
            begin = 0
            for number, request in enumerate(requests):
                end = begin + sum(len(one.said.tokens) for one in request)
                tokens[row, begin:end] = torch.cat([one.said.tokens for one in request])
                codes[row, :, begin:end] = torch.cat([one.said.codes for one in request], dim=1)
                positions[row, begin:end] = torch.arange(end - begin)
                segments[row, begin:end] = number
                if speakers is not None and self._speakers is not None:
                    speakers[row, begin:end] = self._speakers.of[request[-1].speaker]
                begin = end
        frames = [sum(one.frames for request in row for one in request) for row in whole]
        return SpeechLmBatch(
            tokens=tokens,
            codes=codes,
            positions=positions,
            segments=segments,
            speakers=speakers,
            sample_lengths=torch.tensor(frames) * self._frame_samples,
            sample_rate=self._rate,
            ids=[one.id for row in whole for request in row for one in request],
        )


class SpeechLmBatches[B]:
    """Training batches by epoch and index; each utterance occurs once in an epoch.

    Args:
        packer: of the training utterances.
        config: composition of the batches.
        seed: seeds all random choices, together with the epoch.
    """

    def __init__(self, packer: Packing[B], config: PackingConfig, seed: int) -> None:
        self._packer, self._config, self._seed = packer, config, seed
        self._planned: tuple[int, EpochPlan] | None = None
        """The last epoch asked for, and its plan."""

    def _plan(self, epoch: int) -> EpochPlan:
        if self._planned is None or self._planned[0] != epoch:
            lengths, speakers = self._packer.lengths, [one.speaker for one in self._packer.spoken]
            rng = np.random.default_rng((self._seed, epoch, 5))
            self._planned = epoch, EpochPlan(lengths, speakers, self._config.places, self._config.prompted, rng)
        return self._planned[1]

    def size(self, epoch: int) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._plan(epoch).rows) // self._config.rows)

    def batch(self, epoch: int, index: int) -> B:
        """Batch `index` of an epoch."""
        rows = self._config.rows
        return self._packer.batch(self._plan(epoch).rows[index * rows : (index + 1) * rows])


class SpeechLmDev[B](IterableDataset[B]):
    """Dev set: utterances evenly from all lengths, none of them prompted."""

    def __init__(self, packer: Packing[B], config: PackingConfig) -> None:
        super().__init__()
        lengths = packer.lengths
        ordered = sorted(range(len(lengths)), key=lambda n: (lengths[n], packer.spoken[n].id))
        places = np.linspace(0, len(ordered) - 1, min(len(ordered), config.dev_utterances)).round().astype(int)
        chosen = [ordered[place] for place in places]
        packed = packed_rows([lengths[n] for n in chosen], config.places)
        self._rows = [[[chosen[n]] for n in row] for row in packed]
        self._packer, self._config = packer, config

    def __len__(self) -> int:
        return -(-len(self._rows) // self._config.rows)

    def __iter__(self) -> Iterator[B]:
        for start in range(0, len(self._rows), self._config.rows):
            yield self._packer.batch(self._rows[start : start + self._config.rows])
