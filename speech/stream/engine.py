"""Many live sessions through one model: chunks and complete parts of all of them in batches.

Knows tensors, no sockets and no clocks. What a session says does not depend on the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from speech.audio import SAMPLE_RATE
from speech.audio.vad import Vad
from speech.decode.bias.phrases import letters_of
from speech.decode.ctc.compiled_beam import prepare
from speech.nn.cpu.int8 import int8_copy, int8_runs
from speech.recognize.causal import CausalPass, CausalStream
from speech.recognize.full_context import FullContextPass
from speech.recognize.part_reader import PartReader
from speech.recognize.partials import CausalPartials, Partials, RereadPartials
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.session import StreamingSession, StreamOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """How much is done at once."""

    chunk: int = 16
    """Encoder frames of a first-pass chunk; a session that is behind takes two or four at once, and where there is time
    for it half a chunk."""
    left_context: int = 256
    """Frames that a chunk sees of the past; as in training."""
    right_context: int = 8
    """Frames after a chunk that it waits for and sees: what a sound was is known when the next one comes."""
    int8: bool = True
    """Whether the first pass runs in eight bits where this machine can; otherwise in the precision of the model."""
    batch: int = 32
    """Most sessions that are stepped together."""
    batch_s: float = 6.0
    """Most padded seconds of parts that are read in a round; meanwhile partial results wait."""


class Engine:
    """Opens sessions and does their work."""

    def __init__(self, second_pass: PartReader, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        self.second_pass = second_pass
        self.first_pass = self._first_pass(second_pass) if isinstance(second_pass, FullContextPass) else None
        self.vad = Vad()

    def _first_pass(self, second_pass: FullContextPass) -> CausalPass:
        size, model = self.config.chunk, second_pass.model
        in_float32 = model.dtype == torch.float32
        if self.config.int8 and in_float32 and model.device.type == "cpu" and int8_runs():
            model = int8_copy(model)
        prepare()  # a session may ask for phrases at any time, and must not keep the others waiting for a compiler
        letters_of(second_pass.tokenizer.vocabulary)
        return CausalPass(
            model,
            (max(size // 2, 1), size, 2 * size, 4 * size),
            self.config.left_context,
            self.config.right_context,
            second_pass.extension,
        )

    def open(self, options: StreamOptions | None = None) -> StreamingSession:
        """A new stream.

        Raises:
            LanguageError: if the model lacks a language that is asked for.
            ConfigError: if it cannot write a phrase.
        """
        return StreamingSession(self, options or StreamOptions())

    def partials(self, request: Request, *, wanted: bool) -> Partials:
        """Partial results of a new stream; see `speech.recognize.partials`."""
        if self.first_pass is not None and isinstance(self.second_pass, FullContextPass):
            return CausalPartials(self.first_pass, self.second_pass, request, wanted=wanted)
        return RereadPartials(self.second_pass, request, wanted=wanted)

    def run(self, sessions: Sequence[StreamingSession]) -> None:
        """Do all the work that waits."""
        while self.round(sessions):
            pass

    def round(self, sessions: Sequence[StreamingSession]) -> bool:
        """One batch of complete parts and one of chunks, of the sessions that are furthest behind.

        Returns:
            Whether there was anything to do.
        """
        parts = self._parts(_late_first(sessions))
        if parts:
            self._read(parts)
        return self.step(sessions) or bool(parts) or self._read_again(sessions)

    def smallest(self, *, fine: bool) -> int:
        """Encoder frames of the smallest chunk: half of one if `fine`."""
        return self.first_pass.sizes[0] if fine and self.first_pass is not None else self.config.chunk

    def step(self, sessions: Sequence[StreamingSession], *, fine: bool = False) -> bool:
        """One batch of chunks, without parts, where somebody else reads them.

        Args:
            sessions: those that may have one.
            fine: whether half a chunk is enough: partial results come twice as often, for nearly twice the work.

        Returns:
            Whether there was one.
        """
        if self.first_pass is None:
            return False
        groups: dict[tuple[int, int], list[tuple[StreamingSession, CausalStream]]] = defaultdict(list)
        for session in _late_first(sessions):
            chunk = session.waiting_chunk(self.smallest(fine=fine))
            if chunk is not None:
                stream, size = chunk
                groups[size, self.first_pass.missing(stream, size)].append((session, stream))
        for (size, _), group in groups.items():
            self._step(group[: self.config.batch], size)
        return bool(groups)

    def _parts(self, sessions: Sequence[StreamingSession]) -> list[tuple[StreamingSession, Part]]:
        """Waiting parts, one of a session, that fit into a batch."""
        chosen: list[tuple[StreamingSession, Part]] = []
        longest = reads = 0
        for session in sessions:
            part = session.waiting_part()
            if part is None:
                continue
            longest = max(longest, len(part.samples))
            reads += 1 + len(session.options.targets)
            if chosen and longest * reads > self.config.batch_s * SAMPLE_RATE:
                break
            chosen.append((session, part))
        return chosen

    def _read(self, parts: Sequence[tuple[StreamingSession, Part]]) -> None:
        asked = [(part, request) for session, part in parts for request in session.options.requests()]
        heard: list[PartResult] = self.second_pass.read([part for part, _ in asked], [request for _, request in asked])
        found = iter(heard)
        for session, _ in parts:
            session.take_part([next(found) for _ in session.options.requests()])

    def _read_again(self, sessions: Sequence[StreamingSession]) -> bool:
        """The part under way of the session that is furthest behind, where no part waits; see `RereadPartials`."""
        for session in _late_first(sessions):
            found = session.waiting_partial()
            if found is not None:
                session.take_partial(found[0], self.second_pass.read([found[0]], [found[1]])[0])
                return True
        return False

    def _step(self, group: Sequence[tuple[StreamingSession, CausalStream]], size: int) -> None:
        assert self.first_pass is not None
        streams = [stream for _, stream in group]
        log_posteriors = self.first_pass.step(streams, size, self.second_pass.adapters)
        for (session, _), posterior in zip(group, log_posteriors, strict=True):
            session.take_chunk(posterior)


def _late_first(sessions: Sequence[StreamingSession]) -> list[StreamingSession]:
    return sorted(sessions, key=lambda session: session.processed_s - session.received_s)
