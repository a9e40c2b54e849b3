"""One client's session, without any socket: what it says goes in, messages and work for the engine come out.

It outlives its connections: a client that comes back with the session's token hears what it missed and sends on from
the last byte received.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence

import numpy as np
from msgspec import UNSET

from serve.engine.commands import Change, Done, Finish, Flush, Push, Work
from serve.protocols import wire
from serve.protocols.transcripts import Transcripts
from serve.sessions.audio_intake import Intake
from serve.sessions.options import Facts, Prepared, Refused, prepare
from serve.sessions.outbox import Outbox
from serve.sessions.scoring import Scoring
from serve.sessions.statistics import SessionStatistics
from speech.audio import SAMPLE_RATE
from speech.errors import SpeechError
from speech.events import EndpointEvent, Event, SpeechEvent, TranscriptEvent, milliseconds
from speech.stream.session import StreamOptions

_ACK_S = 0.5
_ACK_AUDIO_S = 0.5
_PATIENCE = 30
_MOST_UNANSWERED = 64
"""Messages that the engine or the scores have to answer, from which a client is not listened to."""


class LiveSession:
    """See the module's docstring. Times `now` are seconds of any steady clock.

    Args:
        facts: of the server.
        start: what the client wants.
        now: the time.
        patient: the client's protocol has no way to say that it is still there.
        ready: what `prepare` has said of `start`, where that was done elsewhere.

    Attributes:
        id, token: what `resume` has to name; the token changes with each resume. The one before is good until the
            client is heard on the new connection: it may break before the new token arrives.
        outbox: messages for the client.
        intake: its bytes on their way to samples.
        transcripts: as the client wants them.
        work: what the engine has to do, in order.
        scoring: what is to be scored, beside the event loop; `scored` takes what comes of it.
        ended: `end` has been said.
        closing: how the connection is to be closed once the outbox is empty.
        measured: (what, seconds) for the server's histograms, to be taken away.
    """

    def __init__(
        self, facts: Facts, start: wire.Start, now: float, *, patient: bool = False, ready: Prepared | None = None
    ) -> None:
        self.id = "-".join(filter(None, (facts.config.worker, secrets.token_urlsafe(12))))
        self.token = secrets.token_urlsafe(24)
        self._old_token = ""
        self.outbox = Outbox()
        self.work: deque[Work] = deque()
        self.scoring = Scoring(facts.vectors, facts.config.max_reference_letters)
        self.ended = self._finished = False
        self.closing: tuple[wire.CloseCode, str] | None = None
        self._facts = facts
        self._idle_s = facts.config.idle_s * (_PATIENCE if patient else 1)
        self._start = start
        if start.model not in (None, facts.model.id):
            raise Refused("unknown_model", f"there is no model {start.model!r}", wire.CloseCode.bad_config, "model")
        ready = ready or prepare(facts, StreamOptions(), start)
        self.options, self._ready = ready.options, ready
        self.transcripts = Transcripts(start)
        self.intake = Intake(start.audio)
        self._unanswered = 0
        self.received_s = 0.0
        self.processed_s = 0.0
        self.statistics = SessionStatistics()
        self.measured: list[tuple[str, float]] = []
        self._heard_now = self._acked_now = self._begun = now
        self._acked_s = 0.0
        self._paused = False
        self._stopping = ""
        self.outbox.put(self._started())
        if start.reference is not None:
            self.scoring.reference(start.reference)

    # What the client says

    def receive(self, message: wire.ClientMessage, now: float, ready: Prepared | Refused | None = None) -> None:
        """A message after `start`; each is answered, a repeated `stop` by `end`.

        Args:
            message: see `protocol`.
            now: the time.
            ready: what has come of `prepare` for an `update`, where that was done elsewhere.
        """
        self._hear(now)
        if self.ended:
            return
        if self._stopping:
            if not isinstance(message, wire.Stop):  # which a client that was cut off may have to say again
                self.refuse("after_stop", "nothing may follow stop")
        elif isinstance(message, wire.Update):
            self._update(message, ready)
        elif isinstance(message, wire.Finalize):
            self._ask(Flush(message.id))
        elif isinstance(message, wire.KeepAlive):
            self.outbox.put(wire.Alive(seq=1))
        elif isinstance(message, wire.Reference):
            self._reference(message)
        elif isinstance(message, wire.Stop):
            self.stop("client")
        else:
            self.refuse("already_started", f"{type(message).__name__.lower()} is the first message or none")

    def audio(self, data: bytes, now: float) -> None:
        """A binary frame, decoded here and now; an empty one is `stop`."""
        if self.accept(data, now):
            self.take(self.intake.decode(data))

    def accept(self, data: bytes, now: float) -> bool:
        """A binary frame; an empty one is `stop`.

        Returns:
            Whether `intake.decode` is to have it, and `take` what comes of that, before anything else is said.
        """
        self._hear(now)
        if self.ended:
            return False
        if not data:
            self.stop("client")
            return False
        if self._stopping:
            self.refuse("after_stop", "no audio may follow stop")
            return False
        self.intake.accept(data)
        return True

    def take(self, decoded: np.ndarray | SpeechError) -> None:
        """What has come of the frame that was accepted last."""
        self.intake.decoding = False
        if self.ended:
            return
        if isinstance(decoded, SpeechError):
            self.fail("audio_bad", str(decoded), wire.CloseCode.bad_audio)
            return
        self._take(decoded)
        if self._stopping:  # meanwhile
            self._finish()
        elif self.received_s > self._facts.config.max_session_s:
            self.outbox.put(wire.Notice(seq=1, code="session_too_long", message="the session has reached its limit"))
            self.stop("max_session")

    def stop(self, reason: str) -> None:
        """No more audio will come."""
        if self._stopping or self.ended:
            return
        self._stopping = reason
        if not self.intake.decoding:
            self._finish()

    def _finish(self) -> None:
        try:
            self._take(self.intake.finish())
        except SpeechError as error:
            self.refuse("audio_bad", str(error))
        self.work.append(Finish())

    def tick(self, now: float) -> None:
        """Time passes: acknowledgements and idleness."""
        if self.ended or self._stopping:
            return
        if now - self._acked_now >= _ACK_S and self.received_s > self._acked_s:
            self._ack(now)
        if now - self._heard_now > self._idle_s and not self._paused:
            self.fail("idle", "nothing was said for too long; keepalive helps", wire.CloseCode.idle)

    # What the engine says

    def worked(
        self, events: Sequence[Event], done: Sequence[Done], processed_s: float, busy_s: float, now: float
    ) -> None:
        """Events in order, and work that has been carried out after them."""
        self.processed_s = max(self.processed_s, processed_s)
        self.statistics.busy_s += busy_s
        for event in events:
            self._say(event)
        for item in done:
            self._did(item)
        lead = self.lead_s
        if self._paused and lead < self._facts.config.max_lead_s / 2:
            self._paused = False
            self._heard_now = now  # it was we who did not listen
            self._flow("resume", lead)
        if self.processed_s - self._acked_s >= _ACK_AUDIO_S and not self.ended:
            self._ack(now)

    def scored(self, messages: Sequence[wire.ServerMessage]) -> None:
        """What came of `scoring`, in order."""
        self.scoring.done()
        for message in messages:
            self.outbox.put(message)
        self._end_if_all_is_said()

    def crashed(self) -> None:
        """The engine could not go on with this session."""
        self.fail("internal", "the recogniser failed; reconnect and start anew", wire.CloseCode.internal)

    # What the shell asks

    @property
    def lead_s(self) -> float:
        """Audio that has been received and waits to be processed."""
        return max(self.received_s - self.processed_s, 0.0)

    @property
    def full(self) -> bool:
        """Whether the socket should not be read on; says so to the client."""
        if not self._paused and self.lead_s > self._facts.config.max_lead_s and not self._stopping:
            self._paused = True
            self._flow("pause", self.lead_s)
        return self._paused

    @property
    def behind(self) -> bool:
        """Whether so much has been asked that waits for its answer that the client should not be listened to."""
        return self._unanswered >= _MOST_UNANSWERED or self.scoring.unanswered >= _MOST_UNANSWERED

    def stalled(self, now: float) -> None:
        """End it, as it has been full for too long: who sends audio as it is spoken may try again elsewhere."""
        if self.received_s > now - self._begun + self._facts.config.max_lead_s:
            self.fail("too_fast", "audio came faster than it could be processed", wire.CloseCode.too_fast)
        else:
            self.fail("overloaded", "the server could not keep up; try again later", wire.CloseCode.overloaded)

    def resume(self, token: str, last_seq: int, now: float) -> list[str]:
        """A client is back: the texts it has to be sent before anything new.

        Raises:
            Refused: wrong token, or more has been missed than is kept.
        """
        known = (self.token, self._old_token) if self._old_token else (self.token,)
        if not any(secrets.compare_digest(token.encode(), one.encode()) for one in known):
            raise Refused("unknown_session", "no such session", wire.CloseCode.unknown_session)
        missed = self.outbox.replay(last_seq)
        if missed is None:
            raise Refused("resume_gap", "too much has been missed", wire.CloseCode.unknown_session, "last_seq")
        self._old_token, self.token = token, secrets.token_urlsafe(24)
        self._heard_now = now
        hello = wire.Resumed(
            seq=max(last_seq, 1), session=self.id, resume_token=self.token, received_bytes=self.intake.received_bytes,
            next_seq=last_seq + 1,
        )  # fmt: skip
        return [wire.render(hello), *missed]

    def goaway(self, in_s: float, reason: str) -> None:
        """The server stops."""
        self.outbox.put(wire.GoAway(seq=1, in_ms=milliseconds(in_s), reason=reason))

    def refuse(self, code: str, message: str, *, param: str | None = None) -> None:
        """Say that something is wrong; the session goes on."""
        named = UNSET if param is None else param
        self.outbox.put(wire.Error(seq=1, code=code, message=message, fatal=False, retryable=False, param=named))

    def fail(self, code: str, message: str, close: wire.CloseCode) -> None:
        """Say what is wrong and end."""
        if self.ended:
            return
        again = close < wire.CloseCode.bad_message
        self.outbox.put(wire.Error(seq=1, code=code, message=message, fatal=True, retryable=again))
        self.ended = True
        self.work.clear()
        self.closing = (close, f"{code}: {message}")

    # Within

    def _hear(self, now: float) -> None:
        """The client is there, and has the token of this connection."""
        self._heard_now = now
        self._old_token = ""

    def _started(self) -> wire.Started:
        config = self._facts.config
        return wire.Started(
            seq=1,
            session=self.id,
            resume_token=self.token,
            resume_ttl_ms=milliseconds(config.resume_s),
            protocol=wire.SUBPROTOCOL,
            server=self._facts.server,
            model=self._facts.model,
            live=self._facts.live.value,
            audio=self._start.audio,
            languages=list(self.options.languages or self._facts.languages),
            limits=self._facts.limits,
        )

    def _take(self, samples: np.ndarray) -> None:
        if len(samples):
            self.received_s += len(samples) / SAMPLE_RATE
            self.work.append(Push(samples))

    def _update(self, message: wire.Update, ready: Prepared | Refused | None) -> None:
        try:
            ready = ready or prepare(self._facts, self.options, message)
        except Refused as error:
            ready = error
        if isinstance(ready, Refused):
            self.refuse(ready.code, ready.message, param=ready.param)
            return
        before, self.options, self._ready = self.options, ready.options, ready
        if message.interim is not UNSET:
            self.transcripts.interim = message.interim
        self._ask(Change(ready.options, before, ready.kept))

    def _ask(self, work: Flush | Change) -> None:
        self._unanswered += 1
        self.work.append(work)

    def _reference(self, message: wire.Reference) -> None:
        try:
            self.scoring.reference(message)
        except Refused as error:
            self.refuse(error.code, error.message, param=error.param)

    def _say(self, event: Event) -> None:
        if isinstance(event, EndpointEvent):
            self.statistics.endpoint(event)
        if isinstance(event, SpeechEvent) and not self._start.vad_events:
            return
        if isinstance(event, TranscriptEvent):
            first_s, final_s = self.statistics.transcript(event, self.received_s)
            self.measured += [("first_partial", first_s)] if first_s is not None else []
            self.measured += [("final", final_s)] if final_s is not None else []
            lag_ms = self._lag_ms(milliseconds(event.audio_s))
            told = self.transcripts.message(event, lag_ms)
            if told is not None:
                self.outbox.put(told)
            if event.is_final:
                self.scoring.heard(event)
        else:
            record = event.to_dict()
            if "audio_ms" in record:
                record["lag_ms"] = self._lag_ms(record["audio_ms"])
            self.outbox.put(wire.from_record(record))

    def _did(self, item: Done) -> None:
        at_ms = milliseconds(item.at_s)
        self._unanswered -= isinstance(item.work, Flush | Change)
        if isinstance(item.work, Flush):
            self.outbox.put(wire.Finalized(seq=1, id=item.work.id, at_ms=at_ms))
        elif isinstance(item.work, Change) and item.refused is not None:
            if self.options is item.work.options:
                self.options = item.work.before
            self.refuse("bad_config", str(item.refused))
        elif isinstance(item.work, Change):
            self.outbox.put(wire.Updated(seq=1, from_ms=at_ms))
        elif isinstance(item.work, Finish):
            self.scoring.finish(self.received_s)
            self._finished = True
            self._end_if_all_is_said()

    def _end_if_all_is_said(self) -> None:
        if not self._finished or self.scoring.busy or self.ended:
            return
        end = wire.End(
            seq=1, audio_ms=milliseconds(self.received_s), segments=self.statistics.segments,
            words=self.statistics.words, reason=self._stopping, latency=self.statistics.latency(self.received_s),
        )  # fmt: skip
        self.outbox.put(end)
        self.ended = True
        self.closing = (wire.CloseCode.done, "done")

    def _lag_ms(self, audio_ms: int) -> int:
        return max(milliseconds(self.received_s) - audio_ms, 0)

    def _flow(self, state: str, lead_s: float) -> None:
        limit = milliseconds(self._facts.config.max_lead_s)
        self.outbox.put(wire.Flow(seq=1, state=state, lead_ms=milliseconds(lead_s), max_lead_ms=limit))  # type: ignore[arg-type]

    def _ack(self, now: float) -> None:
        self._acked_now, self._acked_s = now, max(self.processed_s, self._acked_s)
        processed_ms = milliseconds(self.processed_s)
        self.outbox.put(
            wire.Ack(
                seq=1,
                received_bytes=self.intake.received_bytes,
                processed_ms=processed_ms,
                lag_ms=self._lag_ms(processed_ms),
            )
        )
