"""What went wrong in dialogues, counted from the messages that a client gets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
HANG_S = 30.0
"""A reply of which nothing has come for so long hangs, and one that has not ended so long after its turn is slow."""
_SLACK_MS = 2
_MOST_NOTES = 200
_ENDS = {"reply_done": "done", "reply_truncated": "interrupted", "reply_failed": "failed", "turn_reopened": "reopened"}


@dataclass(slots=True)
class Counts:
    """Of all sessions.

    Attributes:
        totals: how often each thing happened.
        first_ms: from the user's last sound to the first sample sent, of each reply, by the server's own count.
        again_ms: how much of a reply was said again after it had waited.
        notes: faults, in words, the first ones.
    """

    totals: Counter[str] = field(default_factory=Counter)
    first_ms: list[int] = field(default_factory=list)
    again_ms: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fault(self, kind: str, about: str) -> None:
        """Count a fault and say what it was."""
        self.totals[kind] += 1
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(f"{kind}: {about}")


@dataclass(slots=True)
class _Reply:
    """A reply as the client has it."""

    began_s: float
    last_s: float
    """When something of it came last."""
    rate: int = 0
    next_ms: float = 0.0
    heard: bool = False
    """Whether samples of it have come."""
    rests: bool = False
    """Whether it waits, so that it may go on with something that was said before."""
    slow: bool = False
    hangs: bool = False


class Ledger:
    """One session.

    Args:
        counts: takes what is counted.

    Attributes:
        replies: those under way, by number.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self.replies: dict[int, _Reply] = {}
        self._finals: list[str] = []
        """Texts that no turn has had."""
        self._over = 0
        """How many of them were said before our voice had ended."""
        self._taken: list[list[str]] = []
        self._turns: dict[int, int] = {}
        """Where a turn that was heard an answer to ended, in ms, and the number of the reply."""
        self._ends: dict[int, int | None] = {}
        self._seq = 0

    @property
    def turns(self) -> int:
        """Turns so far."""
        return len(self._ends)

    @property
    def untaken(self) -> str:
        """What was recognised since the last turn; what was said over our voice may be no turn."""
        return " ".join(self._finals[self._over :])

    @property
    def sounds(self) -> bool:
        """Whether a reply is under way of which something has been heard."""
        return any(reply.heard for reply in self.replies.values())

    def take(self, event: Event, now: float) -> None:
        """Take a message of the server."""
        self._number(event)
        kind = event["type"]
        if kind == "turn":
            self._turn(event, now)
        elif kind in _ENDS:
            self._end(event, _ENDS[kind])
        elif kind == "transcript":
            if event["is_final"] and event["text"]:
                self._finals.append(event["text"])
                self._over = len(self._finals) if self.replies else self._over
        elif kind in ("error", "warning"):
            self._counts.fault(kind, str({name: value for name, value in event.items() if name != "seq"}))
        elif kind.startswith("reply_"):
            self._heard(event, now)
        self.look(now)

    def look(self, now: float) -> None:
        """Count replies that are slow, and those that hang."""
        for number, reply in self.replies.items():
            if now - reply.last_s > HANG_S and not reply.hangs:
                reply.hangs = True
                self._counts.fault("hangs", f"reply {number}, heard: {reply.heard}, waits: {reply.rests}")
            if now - reply.began_s > HANG_S and not reply.slow:
                reply.slow = True
                self._counts.totals["slow"] += 1

    def cut_off(self) -> None:
        """The connection has been lost: the server holds its reply and goes on with the word that was cut."""
        for reply in self.replies.values():
            reply.rests = True

    def _number(self, event: Event) -> None:
        number = event.get("seq", self._seq + 1)
        if self._seq and number != self._seq + 1:
            self._counts.fault("messages_lost", f"{event['type']} has number {number} behind {self._seq}")
        self._seq = number

    def _turn(self, event: Event, now: float) -> None:
        number, end_ms = event["reply"], event["speech_end_ms"]
        self._counts.totals["turns"] += 1
        if self.replies:
            self._counts.fault("turns_over_a_reply", f"reply {number} while {list(self.replies)} has not ended")
        if number in self._ends:
            self._counts.fault("answered_twice", f"reply {number} has two turns")
        self.replies[number], self._ends[number] = _Reply(now, now), end_ms
        rest, mine = event["text"], list[str]()
        for text in self._finals:
            if rest.startswith(text):
                rest = rest[len(text) :].lstrip()
                mine.append(text)
        if rest:
            self._counts.fault("words_not_said", f"{rest!r} of turn {event['text']!r}; there was {self._finals}")
        if len(mine) < len(self._finals):
            self._counts.totals["finals_without_a_turn"] += len(self._finals) - len(mine)
        self._finals, self._over, self._taken = [], 0, [*self._taken[-3:], mine]

    def _end(self, event: Event, how: str) -> None:
        number = event["reply"]
        self._counts.totals[how] += 1
        reply = self.replies.pop(number, None)
        if reply is None:
            self._counts.fault("ended_twice", f"{event['type']} of reply {number}, which is not under way")
            return
        if how == "failed":
            self._counts.fault("failures", str(event["message"]))
        if how == "reopened":
            self._finals = [*(self._taken.pop() if self._taken else []), *self._finals]
            if reply.heard:
                self._counts.fault("heard_and_taken_back", f"reply {number}")
            return
        if how == "done" and not reply.heard and event["text"].strip():
            self._counts.fault("silent_replies", f"reply {number}: {event['text']!r}")
        self._once(number, reply)

    def _once(self, number: int, reply: _Reply) -> None:
        """No turn has two replies that were both heard."""
        end_ms = self._ends[number]
        if not reply.heard or end_ms is None:
            return
        self._counts.totals["answered"] += 1
        if end_ms in self._turns:
            self._counts.fault(
                "answered_twice", f"replies {self._turns[end_ms]} and {number}, turn ends at {end_ms} ms"
            )
        self._turns[end_ms] = number

    def _heard(self, event: Event, now: float) -> None:
        number, kind = event["reply"], event["type"]
        reply = self.replies.get(number)
        if reply is not None:
            reply.last_s = now
        if reply is None:
            self._counts.fault("said_after_its_end", f"{kind} of reply {number}")
        elif kind == "reply_started":
            reply.rate = event["sample_rate"]
            self._counts.first_ms += [event["stages"]["sent"]] if "sent" in event["stages"] else []
        elif kind == "reply_held":
            self._counts.totals["held"] += 1
            reply.rests = True
            reply.next_ms = min(reply.next_ms, event["played_ms"])
        elif kind == "reply_resumed":
            self._counts.totals["went_on"] += 1
        elif kind == "reply_audio":
            self._audio(reply, event)

    def _audio(self, reply: _Reply, event: Event) -> None:
        start_ms, number = event["start_ms"], event["reply"]
        again_ms = reply.next_ms - start_ms
        if again_ms < -_SLACK_MS:
            self._counts.fault("left_out", f"reply {number}: {reply.next_ms:.0f} to {start_ms} ms")
        elif again_ms > _SLACK_MS and reply.rests:
            self._counts.again_ms.append(round(again_ms))
            reply.rests = False
        elif again_ms > _SLACK_MS:
            self._counts.fault("given_twice", f"reply {number}: {start_ms} to {reply.next_ms:.0f} ms")
        reply.heard = reply.heard or bool(event["pcm"])
        reply.next_ms = start_ms + 1000 * len(event["pcm"]) / 2 / reply.rate
