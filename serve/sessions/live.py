"""One client's session, without a socket: takes client messages, produces server messages and work for the engine.

A session outlives its connections: a client that resumes with the session's token gets the messages that it missed and
sends on after the last byte that was received.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from msgspec import UNSET

from serve.protocols import wire
from serve.protocols.dialogue_messages import DialogueRequest
from serve.sessions.audio_intake import Intake
from serve.sessions.ending import Ending
from serve.sessions.engine_requests import EngineRequests
from serve.sessions.event_messages import EventMessages
from serve.sessions.flow import AudioFlow
from serve.sessions.options import Facts, Prepared, Refused, prepare
from serve.sessions.outbox import Outbox
from serve.sessions.presence import Presence
from serve.sessions.scoring import Scoring
from speech.errors import SpeechError
from speech.events import Event, milliseconds
from speech.stream.commands import Done

_PATIENCE = 30
_MOST_UNANSWERED = 64
"""Unanswered messages, from which on the server stops reading from the client."""


class LiveSession:
    """See the module's docstring. Times `now` are in seconds of any monotonic clock.

    Args:
        facts: of the server.
        start: options of the client.
        now: the current time.
        patient: allow longer idle times, because the client's protocol has no keepalive.
        ready: result of `prepare` for `start`; None: prepare it here.

    Attributes:
        id: required by `resume`, with the token of `presence`.
        outbox: messages for the client.
        intake: decodes the audio.
        requests: work for the engine.
        scoring: scoring tasks, which run beside the event loop; `ending.scored` takes their messages.
        flow: audio received and processed.
        events: converts events of the engine into messages.
        ending: how the session ends.

    Raises:
        Refused: if the model or an option is not available.
        AudioError: if the audio format is not supported.
    """

    def __init__(
        self,
        facts: Facts,
        start: wire.StartMessage,
        now: float,
        *,
        patient: bool = False,
        ready: Prepared | None = None,
    ) -> None:
        if start.model not in (None, facts.model.id):
            raise Refused("unknown_model", f"there is no model {start.model!r}", wire.CloseCode.bad_config, "model")
        self.id = "-".join(filter(None, (facts.config.worker, secrets.token_urlsafe(12))))
        self.presence = Presence(facts.config.idle_s * (_PATIENCE if patient else 1), now)
        self.outbox = Outbox()
        self.scoring = Scoring(facts.vectors, facts.config.max_reference_letters)
        self.requests = EngineRequests(ready or prepare(facts, facts.usual, start))
        self.intake = Intake(start.audio)
        self.flow = AudioFlow(self.outbox, self.intake, self.requests, facts.config.max_lead_s, now)
        self.events = EventMessages(start, self.outbox, self.flow, self.scoring)
        self.ending = Ending(self.outbox, self.requests, self.events, self.scoring)
        self._facts = facts
        self.outbox.put(_started(self, facts, start))
        if start.reference is not None:
            self.scoring.reference(start.reference)

    def receive(self, message: wire.ClientMessage, now: float, ready: Prepared | Refused | None = None) -> None:
        """Take a message after `start`. Each is answered; `end` answers `stop`, even a repeated one. `ready` is what
        `prepare` returned for an `update`; None: prepare it here."""
        self.presence.heard(now)
        if self.ended:
            return
        try:
            self._receive(message, ready)
        except Refused as refused:
            self.refuse(refused.code, refused.message, param=refused.param)

    def _receive(self, message: wire.ClientMessage, ready: Prepared | Refused | None) -> None:
        if isinstance(message, wire.Stop):  # a client may have to send it again after a resume
            self.stop("client")
        elif self.ending.stopping:
            raise Refused("after_stop", "nothing may follow stop", None)
        elif isinstance(message, wire.Update):
            self._update(message, ready)
        elif isinstance(message, wire.Finalize):
            self.requests.flush(message.id)
        elif isinstance(message, wire.KeepAlive):
            self.outbox.put(wire.Alive(seq=1))
        elif isinstance(message, wire.Reference):
            self.scoring.reference(message)
        elif isinstance(message, DialogueRequest):
            raise Refused("no_dialogue", f"{wire.tag(message)} in a session without dialogue", None)
        else:
            raise Refused("already_started", f"{wire.tag(message)} is the first message or none", None)

    def accept(self, data: bytes, now: float) -> bool:
        """Take a binary frame; an empty one is `stop`.

        Returns:
            Whether the caller has to decode it with `intake.decode` and pass the result to `take`, before anything
            else.
        """
        self.presence.heard(now)
        if self.ended:
            return False
        if not data:
            self.stop("client")
            return False
        if self.ending.stopping:
            self.refuse("after_stop", "no audio may follow stop")
            return False
        self.intake.accept(data)
        return True

    def take(self, decoded: np.ndarray | SpeechError) -> None:
        """Take the decoded samples `(n,)`, or the error, of the frame that was accepted last."""
        self.intake.decoding = False
        if self.ended:
            return
        if isinstance(decoded, SpeechError):
            self.ending.fail("audio_bad", str(decoded), wire.CloseCode.bad_audio)
            return
        self.flow.take(decoded)
        if self.ending.stopping:  # `stop` came while it was decoded
            self._finish()
        elif self.flow.received_s > self._facts.config.max_session_s:
            self.outbox.put(wire.Notice(seq=1, code="session_too_long", message="the session has reached its limit"))
            self.stop("max_session")

    def stop(self, reason: str) -> None:
        """End the audio; `reason` is sent with `end`."""
        if self.ending.stopping or self.ended:
            return
        self.ending.stopping = reason
        if not self.intake.decoding:
            self._finish()

    def tick(self, now: float) -> None:
        """Send due acknowledgements, and end an idle session."""
        if self.ended or self.ending.stopping:
            return
        self.flow.acknowledge_in_time(now)
        if self.presence.idle(now) and not self.flow.paused:
            self.ending.fail("idle", "nothing was said for too long; keepalive helps", wire.CloseCode.idle)

    def worked(
        self, events: Sequence[Event], done: Sequence[Done], processed_s: float, busy_s: float, now: float
    ) -> None:
        """Take a result of the engine: its events in order, then the work that is done."""
        self.flow.processed_s = max(self.flow.processed_s, processed_s)
        self.events.statistics.busy_s += busy_s
        for event in events:
            self.events.put(event)
        for item in done:
            answer = self.requests.answer(item)
            if answer is None:  # `finish`, the last work
                self.ending.finished()
            else:
                self.outbox.put(answer)
        if self.flow.resume_if_caught_up():
            self.presence.not_listened_to(now)
        if not self.ended:
            self.flow.acknowledge_progress(now)

    @property
    def ended(self) -> bool:
        """Whether the last message is in the outbox."""
        return self.ending.ended

    @property
    def full(self) -> bool:
        """Whether the socket should not be read now; asks the client to pause if needed."""
        if not self.ending.stopping:
            self.flow.pause_if_behind()
        return self.flow.paused

    @property
    def behind(self) -> bool:
        """Whether too many messages wait for answers to read further ones."""
        return max(self.requests.unanswered, self.scoring.unanswered) >= _MOST_UNANSWERED

    def resume(self, token: str, last_seq: int, now: float) -> list[wire.Frame]:
        """Resume for a client; returns the frames to send before anything new.

        Raises:
            Refused: the token is wrong, or the client has missed more than is kept.
        """
        self.presence.check(token)
        missed = self.outbox.replay(last_seq)
        if missed is None:
            raise Refused("resume_gap", "too much has been missed", wire.CloseCode.unknown_session, "last_seq")
        self.presence.back(token, now)
        return [wire.render(_resumed(self, last_seq)), *missed]

    def refuse(self, code: str, message: str, *, param: str | None = None) -> None:
        """Send a non-fatal error; the session goes on."""
        named = UNSET if param is None else param
        self.outbox.put(wire.Error(seq=1, code=code, message=message, fatal=False, retryable=False, param=named))

    # Internal

    def _finish(self) -> None:
        try:
            self.flow.take(self.intake.finish())
        except SpeechError as error:
            self.refuse("audio_bad", str(error))
        self.requests.finish()

    def _update(self, message: wire.Update, ready: Prepared | Refused | None) -> None:
        if isinstance(ready, Refused):
            raise ready
        ready = ready or prepare(self._facts, self.requests.options, message)
        if message.interim is not UNSET:
            self.events.transcripts.interim = message.interim
        self.requests.change(ready)


def _started(session: LiveSession, facts: Facts, start: wire.StartMessage) -> wire.Started:
    return wire.Started(
        seq=1,
        session=session.id,
        resume_token=session.presence.token,
        resume_ttl_ms=milliseconds(facts.config.resume_s),
        protocol=wire.SUBPROTOCOL,
        server=facts.server,
        model=facts.model,
        live=facts.live.value,
        audio=start.audio,
        languages=list(session.requests.options.languages or facts.languages),
        policies=facts.policies,
        limits=facts.limits,
    )


def _resumed(session: LiveSession, last_seq: int) -> wire.Resumed:
    return wire.Resumed(
        seq=max(last_seq, 1),
        session=session.id,
        resume_token=session.presence.token,
        received_bytes=session.intake.received_bytes,
        next_seq=last_seq + 1,
    )
