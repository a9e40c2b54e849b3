"""The causal first pass over live audio: batches chunks of many streams for partial results."""

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
"""Returns the extension for a bank's adapters under these weights."""
Searches = Callable[[Sequence[str]], BeamSearch]
"""Starts a search for text in these languages."""


class CausalStream:
    """First-pass state of one stream, from a first sample on.

    Attributes:
        origin: output frame of the stream at which the state begins.
        spoken: code -> probability of that language; sets the adapters of the next chunk.
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
        """Frame before which adapter tokens occur, which searches cannot write."""
        self._search: tuple[int, tuple[str, ...], BeamSearch] | None = None

    def feed(self, samples: np.ndarray) -> None:
        """Append audio `(n,)`; it is processed once there is enough for a chunk."""
        self._queue.push(samples)

    @property
    def features(self) -> int:
        """Feature frames available for the next chunk."""
        return self._queue.ready

    def missing(self, frames: int) -> int:
        """Feature frames needed before `frames` more encoder frames can be computed."""
        return self._model.missing(self.state, frames)

    def following(self, count: int) -> np.ndarray:
        """Samples `(n,)` needed for the next `count` features."""
        return self._queue.samples(count)

    def read(self, log_probs: Tensor, extension: Extension | None = None) -> list[Tensor]:
        """Reduce `log_probs (frames, vocabulary)` on their device: the best token of each frame, its probability, and
        the candidates for the search. With an extension the vocabulary includes its tokens."""
        forbidden = self.forbidden
        if extension is not None:
            forbidden = extension.forbidden(forbidden, self.written)
        log_probs = log_probs.index_fill(-1, token_index(forbidden, log_probs.device), -torch.inf)
        best, ids = log_probs.max(dim=-1)
        searched = self._config is not None and extension is None
        return [ids, best.exp(), *(self._config.candidates(log_probs) if self._config and searched else ())]

    def advance(self, count: int, state: CtcState, said: Sequence[Tensor], extension: Extension | None = None) -> None:
        """Consume `count` features: set the new state and append `said`, the output of `read` on the host."""
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
        """Tokens from frame `first` on; frames are counted from the start of the stream. Older frames are dropped, so
        that the cost of a call stays bounded: `first` must never decrease.

        Tokens come from a beam search if there is one; otherwise, or if adapter tokens may occur after `first`, they
        are the best token of each frame.
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
        """Position in the stream up to which tokens have been decoded, in seconds."""
        return (self.origin + len(self._runs)) * self._model.frame_s


class CausalPass:
    """Steps streams chunk by chunk.

    Args:
        model: trained with chunked attention.
        sizes: chunk sizes in encoder frames; a stream that lags takes larger ones.
        left_context: past frames visible to a chunk, as in training.
        right_context: future frames visible to a chunk; they are recomputed with the next chunk.
        extension: returns the adapter tokens in use; None: base tokens only.
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
        """Start a stream at a sample on the frame grid.

        Args:
            prefix: ids of language and task.
            sample: position of the start.
            forbidden: tokens that must not be emitted.
            searches: starts a beam search; None: greedy decoding.
            spoken, written, bank: see `CausalStream` and `step`; if a language is certain, the prefix uses its
                adapter.
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
        """Size of the largest chunk, at least `smallest`, that the stream has audio for; 0 if there is none."""
        sizes = (size for size in self.sizes if size >= smallest and stream.features >= self.missing(stream, size))
        return max(sizes, default=0)

    def missing(self, stream: CausalStream, size: int) -> int:
        """Feature frames that a chunk of `size` consumes."""
        return stream.missing(size + self.right_context)

    @torch.inference_mode()
    def step(self, streams: Sequence[CausalStream], size: int, bank: AdapterBank | None = None) -> list[Tensor | None]:
        """Step one chunk of streams that need the same number of features; returns language log-posteriors
        `(t, languages)`, or None without a language head.

        With a bank, each stream uses the adapters of its spoken languages. For any number of streams, one copy moves
        the samples to the device and one moves the results to the host.

        If it raises, the streams are unchanged.
        """
        count = self.missing(streams[0], size)
        samples = torch.from_numpy(np.stack([stream.following(count) for stream in streams]))
        features = self.model.log_mel.frames(samples.to(self.device), count)
        state = merge([stream.state for stream in streams])
        tap = None if bank is None else bank.tap([stream.spoken for stream in streams])
        x, state = self.model.encode_step(features, state, self._chunk(size), adapters=tap)
        log_probs, logits = self.model.read(x)  # base tokens for every row: no stream depends on others
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
