"""Causal passes over live audio: chunks of many streams in one batch, for partial results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.audio.log_mel import LogMelQueue
from speech.chunking import ChunkSpec
from speech.decode.ctc.compiled_beam import BeamSearch, TriedTokens
from speech.decode.ctc.frames import token_index
from speech.decode.ctc.greedy import Runs, TokenSpan
from speech.models.base import CtcModel, CtcState
from speech.nn.adapters import AdapterBank
from speech.nn.streaming import merge, select
from speech.recognize.adapter_tokens import Extension
from speech.recognize.host import to_host

Extensions = Callable[[AdapterBank | None, Mapping[str, float]], Extension | None]
"""What can be written besides the base's tokens where adapters of a bank work by these weights."""
Searches = Callable[[Sequence[str]], BeamSearch]
"""Begins a search for what is said in some of these languages."""


class CausalStream:
    """What the first pass remembers of one stream, from a first sample on.

    Attributes:
        origin: output frame of the stream at which it begins.
        spoken: code -> how likely that language is spoken now: what adapters the next chunk is heard with.
        written: languages that may be written; empty: any.
    """

    def __init__(
        self, model: CtcModel, state: CtcState, origin: int, forbidden: frozenset[int], searches: Searches | None
    ) -> None:
        self.origin = origin
        self.forbidden = forbidden
        self.state = state
        self._runs = Runs()
        self.spoken: Mapping[str, float] = {}
        self.written: tuple[str, ...] = ()
        self._model = model
        self._queue = LogMelQueue(model.log_mel)
        self._searches = searches
        self._config = None if searches is None else searches(()).config
        self._tried: deque[tuple[int, TriedTokens]] = deque()
        self._unsearched = 0
        """Frame of the stream before which there are new tokens, of which searches know nothing."""
        self._search: tuple[int, tuple[str, ...], BeamSearch] | None = None

    def feed(self, samples: np.ndarray) -> None:
        """More audio `(n,)`; it is not looked at before there is enough for a chunk."""
        self._queue.push(samples)

    @property
    def features(self) -> int:
        """Feature frames that wait for their chunk."""
        return self._queue.ready

    def missing(self, frames: int) -> int:
        """Feature frames that are to be fed before `frames` more encoder frames can be seen."""
        return self._model.missing(self.state, frames)

    def following(self, count: int) -> np.ndarray:
        """The samples `(n,)` of the next `count` features."""
        return self._queue.samples(count)

    def read(self, log_probs: Tensor, extension: Extension | None = None) -> list[Tensor]:
        """What is to be known of `log_probs (frames, vocabulary)`, with those of an extension, on their device: for
        each frame the best token and its probability, and what a search needs."""
        forbidden = self.forbidden
        if extension is not None:
            forbidden = extension.forbidden(forbidden, self.written)
        log_probs = log_probs.index_fill(-1, token_index(forbidden, log_probs.device), -torch.inf)
        best, ids = log_probs.max(dim=-1)
        searched = self._config is not None and extension is None
        return [ids, best.exp(), *(self._config.candidates(log_probs) if self._config and searched else ())]

    def advance(self, count: int, state: CtcState, said: Sequence[Tensor], extension: Extension | None = None) -> None:
        """The next `count` features have been heard: `said` is what `read` found, on the host."""
        ids, chances = said[0].tolist(), said[1].tolist()
        tried = self._config.chosen(said[2:]) if self._config is not None and extension is None else None
        self._queue.drop(count)
        self.state = state
        place = len(self._runs) + self.origin
        if extension is not None:
            self._unsearched = place + len(ids)
        elif tried is not None:
            self._tried.append((place, tried))
        self._runs.extend(ids if extension is None else map(extension.kept, ids), chances)

    def spans(self, first: int, languages: Sequence[str]) -> list[TokenSpan]:
        """Tokens from frame `first` of the stream on; frames count from the stream's beginning. What lies before it is
        forgotten, so that a call costs what there is to say: `first` never goes back.

        They are those of a search, if there is one to be had, otherwise the best of each frame: also where new tokens
        may have been said since.
        """
        vocabulary = self._model.vocabulary
        new = len(vocabulary)
        return [s for s in self._spans(first, languages) if s.id >= new or not vocabulary.is_special(s.id)]

    def _spans(self, first: int, languages: Sequence[str]) -> list[TokenSpan]:
        if self._searches is None or first < self._unsearched:
            return [
                TokenSpan(s.id, s.start_frame + self.origin, s.end_frame + self.origin, s.confidence)
                for s in self._runs.since(first - self.origin)
            ]
        if self._search is None or self._search[:2] != (first, tuple(languages)):
            self._search = first, tuple(languages), self._searches(languages)
        search = self._search[2]
        while self._tried and self._tried[0][0] + len(self._tried[0][1]) <= first:
            self._tried.popleft()
        self._runs.forget(first - self.origin)
        begin = max(first, self.origin)
        for place, tried in self._tried:
            heard = max(begin + len(search) - place, 0)
            if heard < len(tried):
                search.advance(tried.after(heard))
        return [
            TokenSpan(s.id, s.start_frame + begin, s.end_frame + begin, s.confidence)
            for s in search.best(ended=False)[1]
        ]

    @property
    def heard_s(self) -> float:
        """How far into the stream tokens have been looked for."""
        return (self.origin + len(self._runs)) * self._model.frame_s


class CausalPass:
    """Steps streams chunk by chunk.

    Args:
        model: chunk-trained.
        sizes: encoder frames of a chunk; a stream that has fallen behind takes larger ones.
        left_context: frames that a chunk sees of the past, as in training.
        right_context: frames that it waits for and sees of the future; they are computed again with the next chunk.
        extension: tells what adapters can write; None: no more than the base.
    """

    def __init__(
        self,
        model: CtcModel,
        sizes: Sequence[int],
        left_context: int,
        right_context: int,
        extension: Extensions | None = None,
    ) -> None:
        self.model = model
        self.device = model.device
        self._extension = extension
        self.sizes = tuple(sizes)
        self.left_context = left_context
        self.right_context = right_context
        self.grid = round(model.frame_s * SAMPLE_RATE)
        self._fresh: dict[tuple[tuple[int, int], str], CtcState] = {}
        self._bank: AdapterBank | None = None

    def begin(
        self,
        prefix: tuple[int, int],
        sample: int,
        forbidden: frozenset[int],
        searches: Searches | None = None,
        *,
        spoken: Mapping[str, float] | None = None,
        written: Sequence[str] = (),
        bank: AdapterBank | None = None,
    ) -> CausalStream:
        """A stream that begins at a sample on the grid.

        Args:
            prefix: ids of language and task.
            sample: where.
            forbidden: tokens that cannot be said.
            searches: begins a search; None: the best token of each frame is taken.
            spoken, written, bank: see `CausalStream` and `step`; the prefix is adapted to a language that is sure.
        """
        spoken = spoken or {}
        if bank is not self._bank:
            self._fresh, self._bank = {}, bank
        sure = next((code for code, share in spoken.items() if bank and share == 1.0 and code in bank.codes), "")
        if (prefix, sure) not in self._fresh:
            tap = bank.tap([{sure: 1.0}]) if bank is not None and sure else None
            with torch.inference_mode():
                ids = torch.tensor([prefix], device=self.device)
                self._fresh[prefix, sure] = self.model.init_state(ids, self._chunk(self.sizes[0]), adapters=tap)
        stream = CausalStream(self.model, self._fresh[prefix, sure], sample // self.grid, forbidden, searches)
        stream.spoken, stream.written = spoken, tuple(written)
        return stream

    def ready(self, stream: CausalStream, smallest: int) -> int:
        """Size of the largest chunk, not below `smallest`, that the stream has audio for; 0 if there is none."""
        sizes = (size for size in self.sizes if size >= smallest and stream.features >= self.missing(stream, size))
        return max(sizes, default=0)

    def missing(self, stream: CausalStream, size: int) -> int:
        """Feature frames that a chunk of `size` takes from the stream."""
        return stream.missing(size + self.right_context)

    @torch.inference_mode()
    def step(self, streams: Sequence[CausalStream], size: int, bank: AdapterBank | None = None) -> list[Tensor | None]:
        """One chunk of streams that wait for equally many features; log-posteriors of languages `(t, languages)`.

        With a bank each is heard with the adapters of what is spoken. However many the streams are, one copy brings
        their samples to the model's device, and one what is said in them to the host.

        Where it fails, the streams are as they were.
        """
        count = self.missing(streams[0], size)
        samples = torch.from_numpy(np.stack([stream.following(count) for stream in streams]))
        features = self.model.log_mel.frames(samples.to(self.device), count)
        state = merge([stream.state for stream in streams])
        tap = None if bank is None else bank.tap([stream.spoken for stream in streams])
        x, state = self.model.encode_step(features, state, self._chunk(size), adapters=tap)
        log_probs, logits = self.model.read(x)  # for all, so that nobody's depend on what others may write
        extensions = [self._extension and self._extension(bank, stream.spoken) for stream in streams]
        said = [
            log_probs[row] if extension is None else extension.head(self.model.ctc)(x[row : row + 1])[0]
            for row, extension in enumerate(extensions)
        ]
        read = [stream.read(row, more) for stream, row, more in zip(streams, said, extensions, strict=True)]
        told = [] if logits is None else [torch.log_softmax(logits, dim=-1)]
        own = [select(state, [row]) for row in range(len(streams))] if len(streams) > 1 else [state]
        heard = iter(to_host([*told, *(tensor for tensors in read for tensor in tensors)]))
        languages: list[Tensor | None] = [*next(heard).unbind(0)] if told else [None] * len(streams)
        for stream, mine, tensors, extension in zip(streams, own, read, extensions, strict=True):
            stream.advance(count, mine, list(islice(heard, len(tensors))), extension)
        return languages

    def _chunk(self, size: int) -> ChunkSpec:
        return ChunkSpec(size=size, left_context=self.left_context, right_context=self.right_context)
