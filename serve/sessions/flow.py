"""How much audio of a session has been received and processed, and what its client is told of that."""

from __future__ import annotations

import numpy as np

from serve.protocols import wire
from serve.sessions.audio_intake import Intake
from serve.sessions.engine_requests import EngineRequests
from serve.sessions.outbox import Outbox
from speech.audio import SAMPLE_RATE
from speech.events import milliseconds

_ACK_S = 0.5
_ACK_AUDIO_S = 0.5


class AudioFlow:
    """Of one session. Times `now` are seconds of any steady clock.

    Args:
        outbox: for acknowledgements, and for `flow`.
        intake: what knows how many bytes have been received.
        requests: to the engine.
        most_lead_s: audio that may wait to be processed before the client is asked to wait.
        now: the time.

    Attributes:
        received_s, processed_s: seconds of audio.
        paused: the client has been asked to wait.
    """

    def __init__(
        self, outbox: Outbox, intake: Intake, requests: EngineRequests, most_lead_s: float, now: float
    ) -> None:
        self._outbox, self._intake, self._requests = outbox, intake, requests
        self._most_lead_s = most_lead_s
        self.received_s = self.processed_s = 0.0
        self.paused = False
        self._begun = self._acked_now = now
        self._acked_s = 0.0

    def take(self, samples: np.ndarray) -> None:
        """Audio `(n,)` for the engine."""
        self.received_s += len(samples) / SAMPLE_RATE
        self._requests.push(samples)

    @property
    def lead_s(self) -> float:
        """Audio that has been received and waits to be processed."""
        return max(self.received_s - self.processed_s, 0.0)

    def lag_ms(self, audio_ms: int) -> int:
        """How far the audio received is ahead of a point of it."""
        return max(milliseconds(self.received_s) - audio_ms, 0)

    def too_fast(self, now: float) -> bool:
        """Whether audio has come faster than it is spoken."""
        return self.received_s > now - self._begun + self._most_lead_s

    def pause_if_behind(self) -> None:
        """Ask the client to wait where too much waits to be processed."""
        if not self.paused and self.lead_s > self._most_lead_s:
            self.paused = True
            self._say("pause", self.lead_s)

    def resume_if_caught_up(self) -> bool:
        """Ask it to go on where that is over; whether it is."""
        lead_s = self.lead_s
        if not self.paused or lead_s >= self._most_lead_s / 2:
            return False
        self.paused = False
        self._say("resume", lead_s)
        return True

    def acknowledge_progress(self, now: float) -> None:
        """Where enough has been processed since the last time."""
        if self.processed_s - self._acked_s >= _ACK_AUDIO_S:
            self._acknowledge(now)

    def acknowledge_in_time(self, now: float) -> None:
        """Where something has been received, and the last time is long ago."""
        if now - self._acked_now >= _ACK_S and self.received_s > self._acked_s:
            self._acknowledge(now)

    def _acknowledge(self, now: float) -> None:
        self._acked_now, self._acked_s = now, max(self.processed_s, self._acked_s)
        processed_ms = milliseconds(self.processed_s)
        self._outbox.put(
            wire.Ack(
                seq=1,
                received_bytes=self._intake.received_bytes,
                processed_ms=processed_ms,
                lag_ms=self.lag_ms(processed_ms),
            )
        )

    def _say(self, state: str, lead_s: float) -> None:
        limit = milliseconds(self._most_lead_s)
        self._outbox.put(wire.Flow(seq=1, state=state, lead_ms=milliseconds(lead_s), max_lead_ms=limit))  # type: ignore[arg-type]
