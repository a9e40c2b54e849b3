"""Causal passes over live audio: chunks of many streams in one batch, for partial results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from speech.audio.io import SAMPLE_RATE
from speech.chunking import ChunkSpec
from speech.decode.compiled_beam import Search, Tried
from speech.decode.greedy import TokenSpan, collapse
from speech.models.owsm_ctc import OwsmCtc, OwsmCtcState
from speech.nn.adapters import AdapterBank
from speech.nn.streaming import merge, select

Searches = Callable[[Sequence[str]], Search]
"""Begins a search for what is said in some of these languages."""


class CausalStream:
    """What the first pass remembers of one stream, from a first sample on.

    Attributes:
        origin: output frame of the stream at which it begins.
        ids, confidences: best token of each frame so far.
        spoken: code -> how likely that language is spoken now: what adapters the next chunk is heard with.
    """

    def __init__(
        self, model: OwsmCtc, state: OwsmCtcState, origin: int, forbidden: frozenset[int], searches: Searches | None
    ) -> None:
        self.origin = origin
        self.forbidden = torch.tensor(sorted(forbidden), dtype=torch.int64)
        self.state = state
        self.ids: list[int] = []
        self.confidences: list[float] = []
        self.spoken: Mapping[str, float] = {}
        self._model = model
        self._mel = model.log_mel.init_state(1)
        self._unheard: list[np.ndarray] = []
        self._fed = self._taken = 0
        self._waiting = torch.zeros(1, 0, model.log_mel.config.n_mels)
        self._searches = searches
        self._config = None if searches is None else searches(()).config
        self._tried: deque[tuple[int, Tried]] = deque()
        self._search: tuple[int, tuple[str, ...], Search] | None = None

    def feed(self, samples: np.ndarray) -> None:
        """More audio `(n,)`; it is not looked at before there is enough for a chunk."""
        self._unheard.append(samples)
        self._fed += len(samples)

    @property
    def features(self) -> int:
        """Feature frames that wait for their chunk."""
        return self._model.log_mel.ready(self._fed) - self._taken

    def missing(self, frames: int) -> int:
        """Feature frames that are to be fed before `frames` more encoder frames can be seen."""
        return self._model.encoder.subsampling.span(frames) - self.state.encoder.pending.shape[1]

    def following(self, count: int) -> Tensor:
        """The next features `(1, count, bins)`."""
        if self._unheard:
            samples = torch.from_numpy(np.concatenate(self._unheard))[None]
            features, self._mel = self._model.log_mel.step(samples, self._mel)
            self._unheard, self._waiting = [], torch.cat([self._waiting, features], dim=1)
        return self._waiting[:, :count]

    def advance(self, count: int, state: OwsmCtcState, log_probs: Tensor) -> None:
        """The next `count` features have been heard: `log_probs (frames, vocabulary)`."""
        self._waiting, self._taken = self._waiting[:, count:], self._taken + count
        self.state = state
        if self._config is not None:
            self._tried.append((len(self.ids) + self.origin, self._config.tried(log_probs)))
        best, ids = log_probs.max(dim=-1)
        self.ids += ids.tolist()
        self.confidences += best.exp().tolist()

    def spans(self, first: int, languages: Sequence[str]) -> list[TokenSpan]:
        """Tokens from frame `first` of the stream on; frames count from the stream's beginning.

        They are those of a search, if there is one to be had, otherwise the best of each frame.
        """
        special = self._model.vocabulary.is_special
        return [span for span in self._spans(first, languages) if not special(span.id)]

    def _spans(self, first: int, languages: Sequence[str]) -> list[TokenSpan]:
        if self._searches is None:
            return [
                TokenSpan(s.id, s.start_frame + self.origin, s.end_frame + self.origin, s.confidence)
                for s in collapse(self.ids, self.confidences)
                if s.start_frame + self.origin >= first
            ]
        if self._search is None or self._search[:2] != (first, tuple(languages)):
            self._search = first, tuple(languages), self._searches(languages)
        search = self._search[2]
        while self._tried and self._tried[0][0] + len(self._tried[0][1]) <= first:
            self._tried.popleft()
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
        return (self.origin + len(self.ids)) * self._model.frame_s


class FirstPass:
    """Steps streams chunk by chunk.

    Args:
        model: chunk-trained.
        sizes: encoder frames of a chunk; a stream that has fallen behind takes larger ones.
        left_context: frames that a chunk sees of the past, as in training.
        right_context: frames that it waits for and sees of the future; they are computed again with the next chunk.
    """

    def __init__(self, model: OwsmCtc, sizes: Sequence[int], left_context: int, right_context: int) -> None:
        self.model = model
        self.sizes = tuple(sizes)
        self.left_context = left_context
        self.right_context = right_context
        self.grid = round(model.frame_s * SAMPLE_RATE)
        self._fresh: dict[tuple[tuple[int, int], str], OwsmCtcState] = {}
        self._bank: AdapterBank | None = None

    def begin(
        self,
        prefix: tuple[int, int],
        sample: int,
        forbidden: frozenset[int],
        searches: Searches | None = None,
        *,
        spoken: Mapping[str, float] | None = None,
        bank: AdapterBank | None = None,
    ) -> CausalStream:
        """A stream that begins at a sample on the grid.

        Args:
            prefix: ids of language and task.
            sample: where.
            forbidden: tokens that cannot be said.
            searches: begins a search; None: the best token of each frame is taken.
            spoken, bank: see `CausalStream` and `step`; the prefix is adapted to a language that is sure.
        """
        spoken = spoken or {}
        if bank is not self._bank:
            self._fresh, self._bank = {}, bank
        sure = next((code for code, share in spoken.items() if bank and share == 1.0 and code in bank.codes), "")
        if (prefix, sure) not in self._fresh:
            tap = bank.tap([{sure: 1.0}]) if bank is not None and sure else None
            with torch.inference_mode():
                self._fresh[prefix, sure] = self.model.init_state(
                    torch.tensor([prefix]), self._chunk(self.sizes[0]), adapters=tap
                )
        stream = CausalStream(self.model, self._fresh[prefix, sure], sample // self.grid, forbidden, searches)
        stream.spoken = spoken
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

        With a bank each is heard with the adapters of what is spoken.

        Where it fails, the streams are as they were.
        """
        features = torch.cat([stream.following(self.missing(stream, size)) for stream in streams])
        state = merge([stream.state for stream in streams])
        tap = None if bank is None else bank.tap([stream.spoken for stream in streams])
        log_probs, logits, state = self.model.step(features, state, self._chunk(size), adapters=tap)
        for row, stream in enumerate(streams):
            own = select(state, torch.tensor([row])) if len(streams) > 1 else state
            stream.advance(features.shape[1], own, log_probs[row].index_fill(-1, stream.forbidden, -torch.inf))
        if logits is None:
            return [None] * len(streams)
        return list(torch.log_softmax(logits, dim=-1).unbind(0))

    def _chunk(self, size: int) -> ChunkSpec:
        return ChunkSpec(size=size, left_context=self.left_context, right_context=self.right_context)
