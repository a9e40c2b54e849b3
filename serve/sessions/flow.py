"""Audio flow of a session: audio received and processed, acknowledgements, and backpressure."""

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
    """Audio flow of one session. Times `now` are in seconds of any monotonic clock.

    Args:
        outbox: takes `ack` and `flow`.
        intake: counts the received bytes.
        requests: to the engine.
        most_lead_s: unprocessed audio, beyond which the client is asked to pause.
        now: the current time.

    Attributes:
        received_s, processed_s: seconds of audio.
        paused: the client has been asked to pause.
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
        """Pass samples `(n,)` at 16 kHz to the engine."""
        self.received_s += len(samples) / SAMPLE_RATE
        self._requests.push(samples)

    @property
    def lead_s(self) -> float:
        """Seconds of audio that are received and not yet processed."""
        return max(self.received_s - self.processed_s, 0.0)

    def lag_ms(self, audio_ms: int) -> int:
        """How far the received audio is ahead of the position `audio_ms`."""
        return max(milliseconds(self.received_s) - audio_ms, 0)

    def too_fast(self, now: float) -> bool:
        """Whether audio has arrived faster than real time."""
        return self.received_s > now - self._begun + self._most_lead_s

    def pause_if_behind(self) -> None:
        """Ask the client to pause if too much audio is unprocessed."""
        if not self.paused and self.lead_s > self._most_lead_s:
            self.paused = True
            self._say("pause", self.lead_s)

    def resume_if_caught_up(self) -> bool:
        """Ask a paused client to resume once less than half of the limit is unprocessed; returns whether it did."""
        lead_s = self.lead_s
        if not self.paused or lead_s >= self._most_lead_s / 2:
            return False
        self.paused = False
        self._say("resume", lead_s)
        return True

    def acknowledge_progress(self, now: float) -> None:
        """Send `ack` if enough audio has been processed since the last one."""
        if self.processed_s - self._acked_s >= _ACK_AUDIO_S:
            self._acknowledge(now)

    def acknowledge_in_time(self, now: float) -> None:
        """Send `ack` if audio has been received and the last one was long ago."""
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
