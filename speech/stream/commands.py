"""Commands to the engine for one session, carried out in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speech.errors import SpeechError
from speech.stream.options import StreamOptions


@dataclass(frozen=True, slots=True)
class Push:
    """Audio to process."""

    samples: np.ndarray


@dataclass(frozen=True, slots=True)
class Flush:
    """Finalize all audio so far; answered with `Done`."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Change the stream's options; answered with `Done`."""

    options: StreamOptions
    before: StreamOptions
    """Options in force if the new ones are refused."""
    kept: object = None
    """Reference that keeps the compiled phrases cached until the change is carried out."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End of the audio; answered with `Done`."""


Work = Push | Flush | Change | Finish


@dataclass(frozen=True, slots=True)
class Done:
    """Reply: a `Flush`, `Change` or `Finish` was carried out at `at_s` seconds of the stream."""

    work: Work
    at_s: float
    refused: SpeechError | None = None
    """Error for which a `Change` was refused; the options are then unchanged."""
