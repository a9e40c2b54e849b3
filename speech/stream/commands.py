"""What is asked of the engine for one session, in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speech.errors import SpeechError
from speech.stream.options import StreamOptions


@dataclass(frozen=True, slots=True)
class Push:
    """Work for the engine: audio."""

    samples: np.ndarray


@dataclass(frozen=True, slots=True)
class Flush:
    """Work for the engine: finals for all audio so far; answered with `Done`."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Work for the engine: other options; answered with `Done`."""

    options: StreamOptions
    before: StreamOptions
    """What holds if these cannot be had."""
    kept: object = None
    """What need not be compiled again while this is there."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Work for the engine: no more audio; answered with `Done`."""


Work = Push | Flush | Change | Finish


@dataclass(frozen=True, slots=True)
class Done:
    """A `Flush`, `Change` or `Finish` has been carried out, at a point of the stream."""

    work: Work
    at_s: float
    refused: SpeechError | None = None
    """Why a `Change` has changed nothing."""
