"""Utterances of any number of threads in one batch of an aligned model.

There is no thread of its own: of the callers that wait for frames, one steps the model for all of them until it has
what it waits for, and then another one goes on. So a single caller waits for nobody, and nothing has to be shut down.

    model.step(three rows) ... model.step(two rows) ... model.step(three rows)      one at a time, by whoever waits
                  |                      |                    |
             codes of each row, packet by packet, at most one ahead of what its caller has taken

What is said does not depend on who else speaks: to the last bit where a row of the model's step does not depend on its
batch mates, as in compiled steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, choose
from speech.errors import ConfigError
from speech.models.aligned_lm import AlignedLM, AlignedPrompt, SymbolFrames, Turn
from speech.nn.streaming import merge, select

MOST_ROWS = 16
"""Utterances that are stepped at once, by default."""
FIRST_FRAMES, MOST_FRAMES = 2, 16
"""Frames of the first packet; each later one has twice as many, up to a maximum."""


class SaidFrames(NamedTuple):
    """The next frames of an utterance."""

    codes: Tensor
    """`(codebooks, n)` int64, on the CPU."""
    said: SymbolFrames
    """Frames of the symbols so far, those that are to come of the current symbol included."""
    turn: Turn
    """What comes next. `Turn.frame` in the last packet: the utterance has reached the model's largest number."""


class SharedBatch[State: tuple[object, ...]]:
    """Says utterances in packets, those of all threads together.

    Args:
        model: the language model.
        most_rows: utterances that are stepped at once; more of them take turns, packet by packet.

    Raises:
        ConfigError: if that is less than one.
    """

    def __init__(self, model: AlignedLM[State], most_rows: int = MOST_ROWS) -> None:
        if most_rows < 1:
            raise ConfigError(f"a batch of {most_rows} rows", fix="Give one or more.")
        self._model, self._most = model, most_rows
        self._lock, self._numbers = threading.Lock(), count()
        self._stepping = False
        """Whether a caller steps the model; it alone reads and changes `_going` and `_resting`."""
        self._living: list[_BatchedUtterance[State]] = []
        """All that have frames to come."""
        self._going: _UtteranceGroup[State] = _UtteranceGroup((), None)
        self._resting: _UtteranceGroup[State] = _UtteranceGroup((), None)
        """Those whose next packet waits to be taken, and those for which there is no room."""

    def say(self, prompt: AlignedPrompt, sampler: Sampler) -> Generator[SaidFrames, None, None]:
        """Packets of an utterance. It takes part from the first `next` on until the iterator ends or is closed.

        Args:
            prompt: whose text has ended.
            sampler: of the utterance.

        Raises:
            ConfigError: if the prompt does not fit the model, or its text has not ended.
            RuntimeError: if a step for all utterances was broken off.
            Exception: what the model raises for this utterance; others go on.
        """
        if not prompt.ended:
            raise ConfigError("a text that has not ended", fix="Take AlignedStream for texts that arrive in pieces.")
        state = self._model.begin([prompt])
        own = _BatchedUtterance(state, sampler, self._lock)
        own.over = self._model.turns(state)[0] != Turn.frame
        with self._lock:
            self._living.append(own)
        try:
            while (packet := self._next(own)) is not None:
                yield packet
        finally:
            own.left = True
            if self._lock.acquire(blocking=False):  # whatever thread closes an iterator may hold it
                self._forget()
                self._lock.release()

    def _next(self, own: _BatchedUtterance[State]) -> SaidFrames | None:
        """Wait for the next packet, or step the model until it is there; None: all are said."""
        with self._lock:
            own.asked = next(self._numbers)
        try:
            while True:
                with self._lock:
                    while self._stepping and not own.settled:
                        own.news.wait()
                    if own.settled:
                        return own.taken()
                    self._stepping = True
                try:
                    self._step()
                finally:
                    self._stepping = False
        finally:
            with self._lock:
                own.asked = None
                self._forget()
                self._wake()

    def _wake(self) -> None:
        """Let the caller that has waited longest step the model, unless another one does."""
        waiting = [one for one in self._living if one.waits]
        if waiting and not self._stepping:
            min(waiting, key=lambda one: one.order).news.notify()

    def _forget(self) -> None:
        """Forget those that have ended or left; states once nobody is there."""
        self._living = [one for one in self._living if not one.ended]
        if not self._living and not self._stepping:
            self._going = self._resting = _UtteranceGroup((), None)

    @torch.inference_mode()
    def _step(self) -> None:
        """The next frame of all utterances that want one and have room."""
        try:
            self._arrange()
            codes, errors = self._stepped()
            with self._lock:
                for one, own_error in errors:
                    one.fail(own_error)
                self._keep(codes)
        except BaseException as error:
            with self._lock:
                for one in self._living:
                    one.fail(_broken_off(error))
                self._going = self._resting = _UtteranceGroup((), None)
            if not isinstance(error, Exception):
                raise

    def _arrange(self) -> None:
        """Let utterances join, rest and leave, so that `_going` are those that want a frame."""
        with self._lock:
            self._forget()
            living = list(self._living)
        wanting = sorted((one for one in living if one.wants), key=lambda one: one.order)[: self._most]
        known = {*living}
        if {*wanting} == {*self._going.utterances} and known.issuperset(self._resting.utterances):
            return
        new = [one for one in living if one.state is not None]
        groups = [self._going, self._resting, *(_UtteranceGroup((one,), one.state) for one in new)]
        everyone = [one for group in groups for one in group.utterances]
        state = merge([group.state for group in groups if group.state is not None])
        chosen = {*wanting}
        self._going = _part(everyone, state, [n for n, one in enumerate(everyone) if one in chosen])
        rest = [n for n, one in enumerate(everyone) if one in known and one not in chosen]
        self._resting = _part(everyone, state, rest)
        for one in new:
            one.state = None

    def _stepped(self) -> tuple[Tensor, list[tuple[_BatchedUtterance[State], Exception]]]:
        """Codes `(rows, codebooks)` of the next frame of those that are going, and those that have failed.

        A step that fails is done again, row by row: only those rows fail that make it fail.
        """
        utterances, state = self._going
        assert state is not None
        choices = _Choices([one.sampler for one in utterances])
        try:
            codes, after = self._model.step(state, choices)
        except Exception:
            if choices.broken:
                raise
            return self._stepped_alone(choices)
        self._going = _UtteranceGroup(utterances, after)
        return codes, []

    def _stepped_alone(self, choices: _Choices) -> tuple[Tensor, list[tuple[_BatchedUtterance[State], Exception]]]:
        """As `_stepped`, row by row, after what has been chosen."""
        utterances, state = self._going
        assert state is not None
        codes, states, going, errors = [], [], [], []
        for row, one in enumerate(utterances):
            try:
                own, after = self._model.step(select(state, [row]), choices.of(row))
            except Exception as error:
                errors.append((one, error))
            else:
                codes.append(own)
                states.append(after)
                going.append(one)
        self._going = _UtteranceGroup(tuple(going), merge(states) if states else None)
        return torch.cat(codes) if codes else torch.zeros(0, self._model.codebooks), errors

    def _keep(self, codes: Tensor) -> None:
        """Append a frame to those that are going, and wake the callers whose packets are complete."""
        utterances, state = self._going
        if state is None:
            return
        said: list[SymbolFrames] = []
        for row, (one, turn, own) in enumerate(zip(utterances, self._model.turns(state), codes, strict=True)):
            one.codes.append(own)
            one.frames += 1
            one.over = turn != Turn.frame or one.frames >= self._model.max_frames
            if one.over or len(one.codes) == one.size:
                said = said or self._model.said(state)
                one.complete(said[row], turn)


class _UtteranceGroup[State](NamedTuple):
    """Utterances that share a state, a row of it each."""

    utterances: tuple[_BatchedUtterance[State], ...]
    state: State | None
    """None: there are none."""


class _BatchedUtterance[State]:
    """What is known of an utterance. Changes are made under the lock, except by `left`.

    Args:
        state: before it has joined the batch.
        sampler: its own.
        lock: of the batch.
    """

    def __init__(self, state: State, sampler: Sampler, lock: threading.Lock) -> None:
        self.state: State | None = state
        self.sampler = sampler
        self.news = threading.Condition(lock)
        """That it is settled, or that its caller has to step the model."""
        self.asked: int | None = None
        """Number of the question that its caller waits with."""
        self.size, self.frames = FIRST_FRAMES, 0
        self.codes: list[Tensor] = []
        """Frames of the next packet."""
        self.packet: SaidFrames | None = None
        self.error: Exception | None = None
        self.over, self.left = False, False

    @property
    def ended(self) -> bool:
        """Whether it needs no further frame."""
        return self.over or self.left or self.error is not None

    @property
    def settled(self) -> bool:
        """Whether its caller has nothing to wait for."""
        return self.packet is not None or self.ended

    @property
    def wants(self) -> bool:
        """Whether frames are to be made: the next packet is not complete, asked for or not."""
        return not self.settled

    @property
    def waits(self) -> bool:
        """Whether its caller waits."""
        return self.asked is not None and not self.settled

    @property
    def order(self) -> tuple[bool, int]:
        """Those with a caller that waits come first, the one that has waited longest before all others."""
        return self.asked is None, self.asked or 0

    def complete(self, said: SymbolFrames, turn: Turn) -> None:
        """Make a packet of the frames."""
        self.packet = SaidFrames(torch.stack(self.codes, dim=1).cpu(), said, turn)
        self.codes, self.size = [], min(2 * self.size, MOST_FRAMES)
        self.news.notify()

    def fail(self, error: Exception) -> None:
        """Let the caller have an error behind what is complete."""
        if not self.ended:
            self.error = error
            self.news.notify()

    def taken(self) -> SaidFrames | None:
        """The packet, which is not there any more; None: there was the last one.

        Raises:
            Exception: if the utterance has failed.
        """
        packet, self.packet = self.packet, None
        if packet is None and self.error is not None:
            raise self.error
        return packet


class _Choices:
    """Chooses codes of a frame, and remembers them for a row that is stepped again by itself."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self._samplers, self._made = samplers, dict[int, Tensor]()
        self.broken = False
        """Whether it failed itself: samplers have gone on, so nothing can be done again."""

    def __call__(self, scores: Tensor, codebook: int) -> Tensor:
        self.broken = True
        self._made[codebook] = codes = choose(self._samplers, scores, codebook)
        self.broken = False
        return codes

    def of(self, row: int) -> Callable[[Tensor, int], Tensor]:
        """What chooses the codes of a row once more: those that are known as they are."""

        def chosen(scores: Tensor, codebook: int) -> Tensor:
            known = self._made.get(codebook)
            return choose([self._samplers[row]], scores, codebook) if known is None else known[row : row + 1]

        return chosen


def _part[State](
    everyone: Sequence[_BatchedUtterance[State]], state: State, rows: Sequence[int]
) -> _UtteranceGroup[State]:
    """The group of some rows of a state."""
    if not rows:
        return _UtteranceGroup((), None)
    own = state if len(rows) == len(everyone) else select(state, rows)
    return _UtteranceGroup(tuple(everyone[row] for row in rows), own)


def _broken_off(error: BaseException) -> RuntimeError:
    """An error for each of the callers; one exception cannot be raised in several threads."""
    made = RuntimeError(f"a step for all utterances was broken off: {type(error).__name__}: {error}")
    made.__cause__ = error
    return made
