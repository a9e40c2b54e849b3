"""Packed batches of symbols and the frames that say them, for aligned models."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from speech.data.manifest import Utterance
from speech.data.reading import Unreadable
from speech.errors import ConfigError, DataError
from speech.models.aligned_ar import START, AlignedFrames
from speech.models.base import Codec
from speech.nn.speech_lm.text_encoder import NO_LANGUAGE
from speech.text.speech_vocabulary import SpeechVocabulary
from speech.train.speech_lm.alignments import Alignment, aligned_frames
from speech.train.speech_lm.batches import PADDING, SpeakerTable, speaker_known
from speech.train.speech_lm.config import PackingConfig

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class AlignedBatch:
    """Rows of requests; a request sees its own segment only, and a symbol those of its own utterance."""

    given: AlignedFrames
    codes: Tensor
    """`(batch, codebooks, places)`: codes of the frames, which are to be predicted."""
    positions: Tensor
    """`(batch, places)`, from 0 in each request."""
    segments: Tensor
    """`(batch, places)`: number of the request, or `PADDING`."""
    frames: Tensor
    """`(batch, symbols)`: durations, `PADDING` behind the last symbol of a row."""
    sample_lengths: Tensor
    """`(batch,)` samples that the frames stand for."""
    sample_rate: int
    ids: list[str]
    unreadable: list[Unreadable] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.codes)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> AlignedBatch:
        """Copy of the batch with its tensors on `device`."""
        names = ("codes", "positions", "segments", "frames", "sample_lengths")
        tensors = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in names}
        given = {
            name: x.to(device, non_blocking=non_blocking) for name, x in self.given._asdict().items() if x is not None
        }
        return replace(self, **tensors, given=self.given._replace(**given))


class AlignedUtterance(NamedTuple):
    """An utterance as the model reads it."""

    id: str
    speaker: str
    symbols: Tensor
    """`(symbols,)`"""
    language: int
    """Token, or `NO_LANGUAGE`."""
    alignment: Alignment
    codes: Tensor
    """`(codebooks, frames)`"""


def read_aligned(
    part: str,
    utterances: Sequence[Utterance],
    codes: Mapping[str, Tensor],
    alignments: Mapping[str, Tensor],
    vocabulary: SpeechVocabulary,
    config: PackingConfig,
    speakers: SpeakerTable | None,
    frame_s: float,
) -> list[AlignedUtterance]:
    """Utterances that have codes and durations and fit into a row; it is logged how many do not.

    Raises:
        ConfigError: if none is left.
        DataError: naming the utterance, if a text has characters without a symbol, its speaker no embedding, or its
            durations do not fit.
    """
    found, long, missing = [], 0, 0
    for utterance in utterances:
        if utterance.id not in codes:
            continue
        if utterance.id not in alignments:
            missing += 1
            continue
        own = codes[utterance.id]
        speaker_known(part, utterance, speakers)
        try:
            symbols = torch.tensor(vocabulary.symbol_tokens(utterance.text), dtype=torch.int32)
            alignment = aligned_frames(alignments[utterance.id], len(symbols), own.shape[1], frame_s)
        except DataError as error:
            raise DataError(error.what, where=f"{part}, {utterance.id}", fix=error.fix) from error
        if own.shape[1] > config.places:
            long += 1
            continue
        token = vocabulary.language_token(utterance.language)
        language = NO_LANGUAGE if token is None else token
        found.append(AlignedUtterance(utterance.id, utterance.speaker, symbols, language, alignment, own))
    if long:
        _log.warning("%s: %d utterances are longer than packing.places %d: left out", part, long, config.places)
    if missing:
        _log.warning("%s: %d utterances have no durations: left out", part, missing)
    if not found:
        raise ConfigError(
            f"no utterance of {part} is left to train on", fix="Raise packing.places, or look at codes and alignments."
        )
    return found


class AlignedPacker:
    """Makes batches of requests.

    Args:
        spoken: utterances.
        codec: of their codes.
        speakers: embeddings, if the model takes them.
    """

    def __init__(self, spoken: Sequence[AlignedUtterance], codec: Codec, speakers: SpeakerTable | None) -> None:
        self.spoken = spoken
        self.lengths = [own.codes.shape[1] for own in spoken]
        self._frame_samples, self._rate = codec.frame_samples, codec.sample_rate
        self._codebooks, self._speakers = codec.codebooks, speakers

    def batch(self, rows: Sequence[Sequence[Sequence[int]]]) -> AlignedBatch:
        """A batch of `rows` of requests, as in `EpochPlan.rows`."""
        whole = [[self.spoken[n] for request in row for n in request] for row in rows]
        shape = len(rows), max(sum(own.codes.shape[1] for own in row) for row in whole)
        each = len(rows), max(sum(len(own.symbols) for own in row) for row in whole)
        codes = torch.zeros(len(rows), self._codebooks, shape[1], dtype=torch.int64)
        before = torch.full_like(codes, START)
        said, inside, positions = (torch.zeros(shape, dtype=torch.int64) for _ in range(3))
        segments = torch.full(shape, PADDING)
        symbols, languages = torch.zeros(each, dtype=torch.int64), torch.full(each, NO_LANGUAGE)
        utterances, frames = torch.full(each, PADDING), torch.full(each, float(PADDING))
        speakers = torch.zeros(*each, self._speakers.dim) if self._speakers is not None else None
        for row, requests in enumerate(rows):
            place, first, number = 0, 0, 0
            for segment, request in enumerate(requests):
                begin = place
                for own in (self.spoken[n] for n in request):
                    counts = own.alignment.frame_counts
                    end, last = place + own.codes.shape[1], first + len(own.symbols)
                    codes[row, :, place:end] = own.codes
                    before[row, :, place + 1 : end] = own.codes[:, :-1]
                    numbers = torch.arange(len(counts)).repeat_interleave(counts)  # (frames,)
                    said[row, place:end] = first + numbers
                    inside[row, place:end] = torch.arange(len(numbers)) - (counts.cumsum(0) - counts)[numbers]
                    symbols[row, first:last], languages[row, first:last] = own.symbols, own.language
                    utterances[row, first:last], frames[row, first:last] = number, own.alignment.frames
                    if speakers is not None and self._speakers is not None:
                        speakers[row, first:last] = self._speakers.of[self.spoken[request[-1]].speaker]
                    place, first, number = end, last, number + 1
                positions[row, begin:place], segments[row, begin:place] = torch.arange(place - begin), segment
        return AlignedBatch(
            given=AlignedFrames(symbols, languages, utterances, speakers, said, inside, before),
            codes=codes,
            positions=positions,
            segments=segments,
            frames=frames,
            sample_lengths=torch.tensor([sum(own.codes.shape[1] for own in row) for row in whole])
            * self._frame_samples,
            sample_rate=self._rate,
            ids=[own.id for row in whole for own in row],
        )
