"""Prometheus metrics of one server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from speech.dialogue.stages import Stages
from speech.events import EndpointEvent, TranscriptEvent

if TYPE_CHECKING:
    from serve.sessions.live import LiveSession
    from speech.stream.slot import Result

_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
_LOOP_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Telemetry:
    """Metrics in a registry of their own, so that several servers can run in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        make = self.registry
        self.stages = Histogram(
            "speech_reply_seconds", "End of speech to a stage of the reply", ["stage"], buckets=_SECONDS, registry=make
        )
        self.interruptions = Counter("speech_interruptions", "Replies ended by the user", registry=make)
        self.held = Counter("speech_held_replies", "Times that a reply waited for speech over it", registry=make)
        self.behind = self._seconds("speech_translation_behind_seconds", "Translation written to heard")
        self.utterances = Counter(
            "speech_translated_utterances", "Parts of translations to be said", ["status"], registry=make
        )
        self.sessions = Gauge("speech_sessions", "Live sessions, parked ones included", registry=make)
        self.opened = Counter("speech_connections", "Websocket connections", ["protocol"], registry=make)
        self.refused = Counter("speech_refused", "Connections and sessions refused", ["code"], registry=make)
        self.resumes = Counter("speech_resumes", "Sessions resumed", registry=make)
        self.closed = Counter("speech_closed", "Websockets closed by us", ["code"], registry=make)
        self.audio = Counter("speech_audio_seconds", "Audio processed", registry=make)
        self.busy = Counter("speech_busy_seconds", "Time spent on chunks and on parts", ["what"], registry=make)
        self.finals = Counter("speech_finals", "Final transcripts, by who has written them", ["by"], registry=make)
        self.fallbacks = Counter(
            "speech_fallbacks", "Parts that CTC wrote because the label decoder was behind", registry=make
        )
        self.first_partial = self._seconds("speech_first_partial_seconds", "Word end to first partial transcript")
        self.final = self._seconds("speech_final_seconds", "End of speech to final transcript")
        self.endpoint = self._seconds("speech_endpoint_seconds", "End of speech to the decision that it ended")
        self.lag = self._seconds("speech_lag_seconds", "Audio received and not yet processed")
        self.loop_lag = Histogram(
            "speech_loop_lag_seconds", "Lateness of the event loop", buckets=_LOOP_SECONDS, registry=make
        )
        self.adapters = Gauge("speech_adapters", "Languages that have an adapter", registry=make)
        self.tasks = Gauge("speech_tasks", "Tasks of the event loop", registry=make)
        self.requests = Counter("speech_requests", "HTTP transcriptions", ["status"], registry=make)
        self.speech_requests = Counter("speech_said_texts", "Texts to be said over HTTP", ["status"], registry=make)
        self.first_packet = self._seconds("speech_first_packet_seconds", "Text to its first samples")
        self.spoken = Counter("speech_spoken_seconds", "Audio of said texts", registry=make)
        self.late_packets = Counter(
            "speech_late_packets", "Audio made after a client that plays at once had played all before", registry=make
        )

    def worked(self, session: LiveSession, result: Result) -> None:
        """Record a result of the engine for a session."""
        self.busy.labels("chunks").inc(result.stepped_s)
        self.busy.labels("parts").inc(result.read_s)
        self.lag.observe(session.flow.lead_s)
        self.fallbacks.inc(result.hurried)
        for event in result.events:
            if isinstance(event, EndpointEvent):
                self.endpoint.observe(max(event.decided_s - event.speech_end_s, 0.0))
            elif isinstance(event, TranscriptEvent) and event.written_by is not None:
                self.finals.labels(str(event.written_by)).inc()
        for what, seconds in session.events.measured:
            (self.first_partial if what == "first_partial" else self.final).observe(seconds)
        session.events.measured.clear()

    def said(self, audio_s: float, first_s: float | None, late_s: float) -> None:
        """Record audio of a text: how long it is; since when it was waited for if it is the first; how late it is."""
        self.spoken.inc(audio_s)
        if first_s is not None:
            self.first_packet.observe(first_s)
        if late_s > 0:
            self.late_packets.inc()

    def answered(self, stages: Stages) -> None:
        """Record when the stages of a reply were reached."""
        for name, ms in stages.to_dict().items():
            self.stages.labels(name).observe(max(ms, 0) / 1000)

    def render(self) -> bytes:
        """The metrics in the Prometheus text format."""
        return generate_latest(self.registry)

    def _seconds(self, name: str, text: str) -> Histogram:
        return Histogram(name, text, buckets=_SECONDS, registry=self.registry)
