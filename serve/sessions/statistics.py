"""Latency and stability of a session's transcripts."""

from __future__ import annotations

from statistics import median

from serve.protocols.wire import Latency
from speech.events import EndpointEvent, TranscriptEvent


class SessionStatistics:
    """Statistics of one session, fed with every event as it is sent."""

    def __init__(self) -> None:
        self.segments = 0
        self.words = 0
        self.busy_s = 0.0
        self._first_partial_s: float | None = None
        self._finals_s: list[float] = []
        self._speech_end_s: float | None = None
        self._shown: tuple[str, ...] = ()
        self._erased = 0

    def endpoint(self, event: EndpointEvent) -> None:
        """Remember the end of speech for the final that follows."""
        self._speech_end_s = event.speech_end_s

    def transcript(self, event: TranscriptEvent, received_s: float) -> tuple[float | None, float | None]:
        """Record a transcript that was sent when `received_s` of audio had been received.

        Returns:
            Delay of the first partial after the end of its last word, and of a final after the end of speech, in
            seconds of audio; None if the event is not one.
        """
        words = tuple(word.text for word in event.words)
        kept = 0
        for old, new in zip(self._shown, words, strict=False):
            if old != new:
                break
            kept += 1
        self._erased += len(self._shown) - kept
        first = None
        if self._first_partial_s is None and words:
            first = self._first_partial_s = max(received_s - event.end_s, 0.0)
        if not event.is_final:
            self._shown = words
            return first, None
        self._shown = ()
        self.segments += 1
        self.words += len(words)
        if self._speech_end_s is None:
            return first, None
        final = max(received_s - self._speech_end_s, 0.0)
        self._finals_s.append(final)
        self._speech_end_s = None
        return first, final

    def latency(self, audio_s: float) -> Latency:
        """Summary for the end of the session."""
        first = self._first_partial_s
        return Latency(
            first_partial_ms=None if first is None else round(first * 1000),
            final_p50_ms=round(median(self._finals_s) * 1000) if self._finals_s else None,
            normalized_erasure=round(self._erased / max(self.words, 1), 4),
            rtf=round(self.busy_s / audio_s, 4) if audio_s else 0.0,
        )
