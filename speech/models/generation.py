"""Whole texts to codes: steps of a speech language model, batched over requests that end one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, choose
from speech.models.base import SpeechLM, SpeechPrompt
from speech.nn.streaming import select


class Generated(NamedTuple):
    """Frames of one request."""

    codes: Tensor
    """`(codebooks, frames)` int64."""
    complete: bool
    """Whether the model ended by itself, and not because of the limit."""


@torch.inference_mode()
def generate[State: tuple[object, ...]](
    model: SpeechLM[State],
    prompts: Sequence[SpeechPrompt],
    samplers: Sequence[Sampler],
    most: Sequence[int] | None = None,
) -> list[Generated]:
    """Codes of each request. They do not depend on the others.

    Args:
        model: the language model.
        prompts: requests.
        samplers: one per request.
        most: largest number of frames of each, at most `model.max_frames`; None: that.

    Raises:
        ConfigError: if a prompt is too long.
    """
    limits = [min(limit, model.max_frames) for limit in most or [model.max_frames] * len(prompts)]
    frames: list[list[Tensor]] = [[] for _ in prompts]
    complete = [False] * len(prompts)
    rows = [row for row, limit in enumerate(limits) if limit > 0]
    state = model.begin([prompts[row] for row in rows]) if rows else None
    while rows and state is not None:
        codes, ended, state = model.step(state, partial(choose, [samplers[row] for row in rows]))
        for place, (row, over) in enumerate(zip(rows, ended.tolist(), strict=True)):
            complete[row] = over
            if not over:
                frames[row].append(codes[place])
        going = [n for n, row in enumerate(rows) if not complete[row] and len(frames[row]) < limits[row]]
        if going and len(going) < len(rows):
            state = select(state, going)
        rows = [rows[n] for n in going]
    nothing = torch.zeros(model.codebooks, 0, dtype=torch.int64)
    return [
        Generated(torch.stack(own, dim=1).cpu() if own else nothing, over)
        for own, over in zip(frames, complete, strict=True)
    ]
