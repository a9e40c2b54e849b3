"""A stream of samples cut into parts, the same whatever the sizes of its pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.vad import FRAME_S, FRAME_SAMPLES, Vad
from speech.decode.endpoint import Endpoint, EndpointConfig, Endpointer, Reason
from speech.recognize.context import Context

_TURN_FRAMES = 6
"""A shorter pause (192 ms) does not end speech for an indicator."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a stream to be read, with audio around it."""

    start: int
    """First sample of `samples` in the stream."""
    samples: np.ndarray
    """(n,) float32 at 16 kHz."""
    keep_start: int
    """In `samples`, the first that the part answers for; a multiple of the grid in the stream."""
    keep_end: int
    speech_end: int
    """Sample of the stream after the last speech; `start + keep_start` if there was none."""
    quiet: bool
    """Whether it ends in a pause."""
    silent: bool
    """Whether nobody can have said anything in it."""
    decided: int
    """Samples of the stream that had been heard when the end was decided."""
    reason: Reason
    rested: bool = False
    """Whether nobody speaks in front of `keep_start`: the one before ended in a pause."""
    before: Context | None = None
    """What has been said before it, where that counts."""

    @property
    def first_sample(self) -> int:
        """Of the stream, that the part answers for."""
        return self.start + self.keep_start

    @property
    def end_sample(self) -> int:
        """Of the stream, after the last that the part answers for."""
        return self.start + self.keep_end

    def span(self, grid: int, frames: int) -> tuple[int, int]:
        """First of its `frames`, of `grid` samples each, that the part answers for, and the frame after the last."""
        return self.keep_start // grid, frames if self.last else self.keep_end // grid

    @property
    def place(self) -> tuple[int, int, int]:
        """What it hears and answers for: equal for two parts of a stream that say the same."""
        return self.first_sample, self.end_sample, self.start + len(self.samples)

    @property
    def last(self) -> bool:
        """Whether the stream ends with it."""
        return self.reason is Reason.stop


class SampleBuffer:
    """The samples of a stream from some point on; appending costs what is appended.

    Attributes:
        start: sample of the stream at which it begins.
    """

    def __init__(self) -> None:
        self.start = 0
        self._store = np.empty(SAMPLE_RATE, np.float32)
        self._count = 0

    @property
    def end(self) -> int:
        """Sample of the stream after the last."""
        return self.start + self._count

    def append(self, samples: np.ndarray) -> None:
        needed = self._count + len(samples)
        if needed > len(self._store):
            self._store = np.resize(self._store, max(needed, 2 * len(self._store)))
        self._store[self._count : needed] = samples
        self._count = needed

    def between(self, start: int, end: int) -> np.ndarray:
        """A view of samples `start .. end` of the stream; good until the next change."""
        return self._store[start - self.start : end - self.start]

    def drop(self, start: int) -> None:
        """Forget what lies before sample `start` of the stream."""
        kept = self.between(start, self.end)
        self._store[: len(kept)] = kept.copy()
        self.start, self._count = start, len(kept)


class PartCutter:
    """Cuts one stream. Every sample lies in exactly one part.

    In a pause a part hears nothing beyond its cut, and can be read before the pause has lasted long enough to end
    it (`expected`); one that had to be cut within speech hears `context_s` of the other side, as far as it has been
    received when the cut is decided.

    Args:
        vad: silero, shared by any number of streams.
        config: rules.
        grid: samples per output frame; cuts lie on it, so a frame belongs to one part.
        context_s: audio beyond a cut within speech.

    Attributes:
        turns: (sample, whether speech began or ended there), for the owner to take away.
    """

    def __init__(self, vad: Vad, config: EndpointConfig, *, grid: int, context_s: float = 0.5) -> None:
        self._vad, self._state = vad, vad.init_state()
        self._endpointer = Endpointer(config)
        self._grid = grid
        self._context = int(context_s * SAMPLE_RATE) // grid * grid
        self._buffer = SampleBuffer()
        self._begin = 0  # of the part under way in the stream
        self._rested = True
        self._seen = 0  # samples that the VAD has judged
        self._speaking, self._quiet_frames = False, 0
        self.turns: list[tuple[int, bool]] = []

    @property
    def received(self) -> int:
        """Samples so far."""
        return self._buffer.end

    @property
    def begin(self) -> int:
        """First sample of the part under way."""
        return self._begin

    @property
    def speech_begin(self) -> int | None:
        """Sample at which speech begins in the part under way; None if nobody has spoken."""
        frame = self._endpointer.speech_begin
        return None if frame is None else frame * FRAME_SAMPLES

    def configure(self, config: EndpointConfig) -> None:
        """Other rules, from here on."""
        self._endpointer.config = config

    def heard_since(self, sample: int) -> np.ndarray:
        """A copy of what has been received from `sample` of the stream on; it must not lie before the part."""
        return self._buffer.between(sample, self.received).copy()

    def accept(self, samples: np.ndarray) -> list[Part]:
        """The parts that end with these samples `(n,)` float32, any `n`."""
        self._buffer.append(samples)
        parts = []
        whole = (self.received - self._seen) // FRAME_SAMPLES
        frames = self._buffer.between(self._seen, self._seen + whole * FRAME_SAMPLES).reshape(whole, FRAME_SAMPLES)
        probabilities, self._state = self._vad.steps(frames, self._state)
        for probability in probabilities.tolist():
            self._seen += FRAME_SAMPLES
            endpoint = self._endpointer.step(probability)
            self._turn()
            if endpoint is not None:
                parts.append(self._end(endpoint, self._cut(endpoint.frame)))
        return parts

    def expected(self) -> Part | None:
        """The part that a pause under way comes to if nobody speaks on, once all that it hears has been received."""
        endpoint = self._endpointer.expected()
        return None if endpoint is None else self._part(endpoint, self._cut(endpoint.frame))

    def so_far(self) -> Part:
        """The part under way as if it ended here; it goes on."""
        return self._part(self._endpointer.here(), self.received // self._grid * self._grid)

    def _cut(self, frame: int) -> int:
        """The sample on the grid at which a part ends before a frame of the voice detector."""
        return frame * FRAME_SAMPLES // self._grid * self._grid

    def _turn(self) -> None:
        """Speech has begun, or has been over for a little while."""
        active = self._endpointer.speaking
        self._quiet_frames = 0 if active else self._quiet_frames + 1
        if active != self._speaking and (active or self._quiet_frames >= _TURN_FRAMES):
            self._speaking = active
            self.turns.append((self._seen - FRAME_SAMPLES * (1 if active else _TURN_FRAMES), active))

    def flush(self) -> Part | None:
        """End the part at the last whole frame received: a client asked for what it has said so far."""
        cut = self.received // self._grid * self._grid
        if cut == self._begin:
            return None
        return self._end(self._endpointer.cut(Reason.client), cut)

    def end_blanks(self, said_s: float, blank_s: float) -> Part | None:
        """End the part between its last word and a place without more, in seconds of the stream."""
        said = round(said_s / FRAME_S)
        frame = (said + int(blank_s / FRAME_S)) // 2
        cut = self._cut(frame)
        if not self._begin < cut <= self._seen:
            return None
        return self._end(self._endpointer.cut_blanks(said, frame), cut)

    def finish(self) -> Part | None:
        """The last part, if anything is left; a stream without samples has one, which is empty."""
        if self.received == self._begin > 0:
            return None
        self._judge_rest()
        return self._end(self._endpointer.cut(Reason.stop), self.received)

    def _judge_rest(self) -> None:
        """The last samples, filled up to a frame, so that the shortest of streams is judged too."""
        rest = self._buffer.between(self._seen, self.received)
        if len(rest):
            probability, _ = self._vad.step(np.pad(rest, (0, FRAME_SAMPLES - len(rest))), self._state)
            self._endpointer.take(probability)

    def _part(self, endpoint: Endpoint, cut: int) -> Part:
        start = self._buffer.start
        asked = endpoint.reason in (Reason.client, Reason.stop)
        heard = cut if endpoint.quiet or asked else min(self._seen, cut + self._context)
        return Part(
            start,
            self._buffer.between(start, heard).copy(),
            self._begin - start,
            cut - start,
            min(max(endpoint.speech_end * FRAME_SAMPLES, self._begin), cut),
            endpoint.quiet,
            endpoint.silent,
            self.received if asked else self._seen,
            endpoint.reason,
            self._rested,
        )

    def _end(self, endpoint: Endpoint, cut: int) -> Part:
        part = self._part(endpoint, cut)
        reach = cut - self._context
        if endpoint.quiet:
            reach = max(reach, -(-part.speech_end // self._grid) * self._grid)
        unheard = self._seen // self._grid * self._grid  # by the voice detector, which still needs it
        self._buffer.drop(max(min(reach, cut, unheard), part.start))
        self._begin, self._rested = cut, endpoint.quiet
        return part
