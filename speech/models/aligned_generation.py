"""Symbols to codes by an aligned model: whole texts in batches, and one text that arrives piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, choose
from speech.errors import ConfigError
from speech.models.aligned_lm import AlignedLM, AlignedPrompt, SymbolFrames, Turn
from speech.nn.streaming import select


class AlignedSpeech(NamedTuple):
    """Frames of one request."""

    codes: Tensor
    """`(codebooks, frames)` int64."""
    said: SymbolFrames
    """Which of them say which symbol."""
    complete: bool
    """Whether all symbols were said, and none fell victim to the limit."""


class AlignedStream[State: tuple[object, ...]]:
    """One text whose symbols arrive piece by piece. The codes do not depend on how it is cut.

    Args:
        model: the language model.
        prompt: the first symbols of the text, or none, with its voice.
        sampler: of the request.

    Raises:
        ConfigError: if the prompt does not fit the model.
    """

    def __init__(self, model: AlignedLM[State], prompt: AlignedPrompt, sampler: Sampler) -> None:
        self._model, self._sampler = model, sampler
        self._state = model.begin([prompt])
        self.frames = 0
        """Number of frames so far."""

    @property
    def said(self) -> SymbolFrames:
        """Frames of the symbols so far, those that are to come of the current symbol included."""
        return self._model.said(self._state)[0]

    @property
    def turn(self) -> Turn:
        """What comes next."""
        return self._model.turns(self._state)[0]

    @property
    def limited(self) -> bool:
        """Whether the largest number of frames is reached, so that no further one comes."""
        return self.frames >= self._model.max_frames

    def accept(self, symbols: Sequence[int], frames: Sequence[float] | None = None, *, ended: bool = False) -> None:
        """Append symbols, and the end of the text; arguments and errors as for `AlignedLM.extend`."""
        self._state = self._model.extend(self._state, 0, symbols, frames, ended)

    @torch.inference_mode()
    def next(self, most: int | None = None) -> Tensor:
        """The next frames: codes `(codebooks, n)` int64.

        Args:
            most: largest number of them; None: all that can be said before more symbols arrive.
        """
        codes: list[Tensor] = []
        while self.turn == Turn.frame and not self.limited and (most is None or len(codes) < most):
            frame, self._state = self._model.step(self._state, partial(choose, [self._sampler]))
            codes.append(frame[0])
            self.frames += 1
        return _joined(codes, self._model.codebooks)


@torch.inference_mode()
def generate_aligned[State: tuple[object, ...]](
    model: AlignedLM[State], prompts: Sequence[AlignedPrompt], samplers: Sequence[Sampler]
) -> list[AlignedSpeech]:
    """Codes of whole texts in one batch. They do not depend on each other.

    Args:
        model: the language model.
        prompts: requests whose texts have ended.
        samplers: one per request.

    Raises:
        ConfigError: if a prompt does not fit the model, or its text has not ended.
    """
    if not all(prompt.ended for prompt in prompts):
        raise ConfigError("a text that has not ended", fix="Take AlignedStream for texts that arrive piece by piece.")
    codes: list[list[Tensor]] = [[] for _ in prompts]
    said: dict[int, tuple[SymbolFrames, bool]] = {}
    state = model.begin(prompts) if prompts else None
    rows = list(range(len(prompts)))
    while rows and state is not None:
        for row, turn, own in zip(rows, model.turns(state), model.said(state), strict=True):
            if turn != Turn.frame or len(codes[row]) == model.max_frames:
                said[row] = own, turn == Turn.end
        going = [n for n, row in enumerate(rows) if row not in said]
        if len(going) < len(rows):
            rows, state = [rows[n] for n in going], select(state, going) if going else None
        if state is not None:
            frame, state = model.step(state, partial(choose, [samplers[row] for row in rows]))
            for row, own_codes in zip(rows, frame, strict=True):
                codes[row].append(own_codes)
    return [AlignedSpeech(_joined(own, model.codebooks), *said[row]) for row, own in enumerate(codes)]


def _joined(codes: Sequence[Tensor], codebooks: int) -> Tensor:
    return torch.stack(list(codes), dim=1).cpu() if codes else torch.zeros(codebooks, 0, dtype=torch.int64)
