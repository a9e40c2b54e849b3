"""Cuts a stream of samples into parts, independent of how the samples are chunked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.vad import FRAME_S, FRAME_SAMPLES, Vad
from speech.decode.endpoint import Endpoint, EndpointConfig, Endpointer, Reason
from speech.recognize.context import Context
from speech.recognize.growing_audio import GrowingAudio

_TURN_FRAMES = 6
"""Pauses shorter than this many voice-detector frames (192 ms) do not end speech in speech events."""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a stream to read, with audio around it."""

    start: int
    """First sample of `samples` in the stream."""
    samples: np.ndarray
    """Audio `(n,)`, float32 at 16 kHz."""
    keep_start: int
    """Index in `samples` of the part's own first sample; its position in the stream is a multiple of the grid."""
    keep_end: int
    speech_end: int
    """Sample of the stream after the last speech; `start + keep_start` if there was none."""
    quiet: bool
    """Whether the part ends in a pause."""
    silent: bool
    """Whether the part contains no speech."""
    decided: int
    """Samples of the stream received when the end was decided."""
    reason: Reason
    rested: bool = False
    """Whether the part starts after a pause: the previous part ended in one."""
    before: Context | None = None
    """Context before the part, if there is any."""
    growing: GrowingAudio | None = None
    """Of the current part so far, which is read for a draft of its translation: what has been encoded of it."""
    draft: int = 0
    """Number of that draft in its stream, from 1."""
    translated: tuple[int, ...] = ()
    """Tokens of its translation that are not taken back."""

    @property
    def first_sample(self) -> int:
        """Position in the stream of the part's first own sample."""
        return self.start + self.keep_start

    @property
    def end_sample(self) -> int:
        """Position in the stream after the part's last own sample."""
        return self.start + self.keep_end

    def span(self, grid: int, frames: int) -> tuple[int, int]:
        """The range of the part's own frames, end exclusive, among `frames` frames of `grid` samples."""
        return self.keep_start // grid, frames if self.last else self.keep_end // grid

    @property
    def place(self) -> tuple[int, int, int]:
        """Key of the audio range: two parts of a stream with equal keys have equal results."""
        return self.first_sample, self.end_sample, self.start + len(self.samples)

    @property
    def last(self) -> bool:
        """Whether the part ends the stream."""
        return self.reason is Reason.stop


class SampleBuffer:
    """Growing buffer of a stream's samples from some position on; appends take amortized constant time per sample.

    Attributes:
        start: position of the buffer's first sample in the stream.
    """

    def __init__(self) -> None:
        self.start = 0
        self._store = np.empty(SAMPLE_RATE, np.float32)
        self._count = 0

    @property
    def end(self) -> int:
        """Position in the stream after the last sample."""
        return self.start + self._count

    def append(self, samples: np.ndarray) -> None:
        needed = self._count + len(samples)
        if needed > len(self._store):
            self._store = np.resize(self._store, max(needed, 2 * len(self._store)))
        self._store[self._count : needed] = samples
        self._count = needed

    def between(self, start: int, end: int) -> np.ndarray:
        """A view of the stream's samples from `start` up to `end`; valid until the next change."""
        return self._store[start - self.start : end - self.start]

    def drop(self, start: int) -> None:
        """Discard samples before position `start` of the stream."""
        kept = self.between(start, self.end)
        self._store[: len(kept)] = kept.copy()
        self.start, self._count = start, len(kept)


class PartCutter:
    """Cuts one stream into parts. Every sample belongs to exactly one part.

    A part that ends in a pause includes no audio beyond its cut, so it can be read before the pause is long enough
    to end it (`expected`). A part cut within speech includes up to `context_s` of audio beyond the cut, as far as
    received when the cut is decided.

    Args:
        vad: Silero voice detector; may be shared by streams.
        config: endpoint rules.
        grid: samples per output frame; cuts lie on it, so that each frame belongs to one part.
        context_s: seconds of audio beyond a cut within speech.

    Attributes:
        turns: (sample, whether speech began or ended there), to be consumed by the owner.
    """

    def __init__(self, vad: Vad, config: EndpointConfig, *, grid: int, context_s: float = 0.5) -> None:
        self._vad, self._state = vad, vad.init_state()
        self._endpointer = Endpointer(config)
        self._grid = grid
        self._context = int(context_s * SAMPLE_RATE) // grid * grid
        self._buffer = SampleBuffer()
        self._begin = 0  # position in the stream of the part under way
        self._rested = True
        self._seen = 0  # samples processed by the VAD
        self._speaking, self._quiet_frames = False, 0
        self.turns: list[tuple[int, bool]] = []

    @property
    def received(self) -> int:
        """Samples received."""
        return self._buffer.end

    @property
    def begin(self) -> int:
        """Position of the first sample of the part under way."""
        return self._begin

    @property
    def speech_begin(self) -> int | None:
        """Position at which speech begins in the part under way; None if there is no speech yet."""
        frame = self._endpointer.speech_begin
        return None if frame is None else frame * FRAME_SAMPLES

    def configure(self, config: EndpointConfig) -> None:
        """Change the endpoint rules from here on."""
        self._endpointer.config = config

    def heard_since(self, sample: int) -> np.ndarray:
        """A copy of the audio received since position `sample`, which must not precede the part."""
        return self._buffer.between(sample, self.received).copy()

    def accept(self, samples: np.ndarray) -> list[Part]:
        """Append samples `(n,)` float32 of any length, and return the parts that they complete."""
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
        """The part that the current pause will complete unless speech resumes; None if it is not yet expected."""
        endpoint = self._endpointer.expected()
        return None if endpoint is None else self._part(endpoint, self._cut(endpoint.frame))

    def so_far(self) -> Part:
        """The part under way as if it ended here; the part itself continues."""
        return self._part(self._endpointer.here(), self.received // self._grid * self._grid)

    def _cut(self, frame: int) -> int:
        """The position on the grid of a cut before a voice-detector frame."""
        return frame * FRAME_SAMPLES // self._grid * self._grid

    def _turn(self) -> None:
        """Record in `turns` that speech has begun, or has paused for `_TURN_FRAMES`."""
        active = self._endpointer.speaking
        self._quiet_frames = 0 if active else self._quiet_frames + 1
        if active != self._speaking and (active or self._quiet_frames >= _TURN_FRAMES):
            self._speaking = active
            self.turns.append((self._seen - FRAME_SAMPLES * (1 if active else _TURN_FRAMES), active))

    def flush(self) -> Part | None:
        """End the part at the last whole frame received, on request of the client."""
        cut = self.received // self._grid * self._grid
        if cut == self._begin:
            return None
        return self._end(self._endpointer.cut(Reason.client), cut)

    def end_blanks(self, said_s: float, heard_s: float) -> list[Part]:
        """End the part if nothing was recognized for `EndpointConfig.blank_s` after its last word, halfway between.

        Args:
            said_s: end of the last word in the stream.
            heard_s: end of the audio in which words have been looked for.
        """
        blank_s = self._endpointer.config.blank_s
        if blank_s is None or heard_s - said_s < blank_s:
            return []
        said = round(said_s / FRAME_S)
        frame = (said + int((said_s + blank_s) / FRAME_S)) // 2
        cut = self._cut(frame)
        if not self._begin < cut <= self._seen:
            return []
        return [self._end(self._endpointer.cut_blanks(said, frame), cut)]

    def finish(self) -> Part | None:
        """The last part, if audio is left; a stream without samples has one empty part."""
        if self.received == self._begin > 0:
            return None
        self._judge_rest()
        return self._end(self._endpointer.cut(Reason.stop), self.received)

    def _judge_rest(self) -> None:
        """Run the voice detector on the remaining samples, zero-padded to a frame, so that very short streams are
        covered."""
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
        unheard = self._seen // self._grid * self._grid  # the voice detector still needs audio after this
        self._buffer.drop(max(min(reach, cut, unheard), part.start))
        self._begin, self._rested = cut, endpoint.quiet
        return part
