"""Converts events of the engine into messages for the client, and measures their latency."""

from __future__ import annotations

from serve.protocols import wire
from serve.protocols.transcripts import Transcripts
from serve.sessions.flow import AudioFlow
from serve.sessions.outbox import Outbox
from serve.sessions.scoring import Scoring
from serve.sessions.statistics import SessionStatistics
from speech.events import EndpointEvent, Event, SpeechEvent, TranscriptEvent, TranslationEvent, milliseconds


class EventMessages:
    """Writes the messages of one session.

    Args:
        start: options of the client.
        outbox: takes the messages.
        flow: knows how much audio has been received.
        scoring: takes the finals.

    Attributes:
        transcripts: builds transcript messages.
        statistics: for `end`.
        measured: pairs (name, seconds) for the server's histograms; the reader clears it.
    """

    def __init__(self, start: wire.StartMessage, outbox: Outbox, flow: AudioFlow, scoring: Scoring) -> None:
        self.transcripts = Transcripts(start)
        self.statistics = SessionStatistics()
        self.measured: list[tuple[str, float]] = []
        self._outbox, self._flow, self._scoring = outbox, flow, scoring
        self._vad_events, self._words = start.vad_events, start.words

    def put(self, event: Event) -> None:
        """Send the messages of an event, if any."""
        if isinstance(event, EndpointEvent):
            self.statistics.endpoint(event)
        if isinstance(event, SpeechEvent) and not self._vad_events:
            return
        if isinstance(event, TranscriptEvent):
            self._transcript(event)
            return
        record = event.to_dict()
        if "audio_ms" in record:
            record["lag_ms"] = self._flow.lag_ms(record["audio_ms"])
        if isinstance(event, TranslationEvent) and not self._words:
            del record["words"]
        self._outbox.put(wire.from_record(record))

    def score_total(self) -> None:
        """Request the last score: there will be no more finals."""
        self._scoring.finish(self._flow.received_s)

    def end(self, reason: str) -> None:
        """Send `end`."""
        statistics, received_s = self.statistics, self._flow.received_s
        self._outbox.put(
            wire.End(
                seq=1, audio_ms=milliseconds(received_s), segments=statistics.segments, words=statistics.words,
                reason=reason, latency=statistics.latency(received_s),
            )
        )  # fmt: skip

    def _transcript(self, event: TranscriptEvent) -> None:
        first_s, final_s = self.statistics.transcript(event, self._flow.received_s)
        self.measured += [("first_partial", first_s)] if first_s is not None else []
        self.measured += [("final", final_s)] if final_s is not None else []
        message = self.transcripts.message(event, self._flow.lag_ms(milliseconds(event.audio_s)))
        if message is not None:
            self._outbox.put(message)
        if event.is_final:
            self._scoring.heard(event)
