"""Where the time between the user's last sound and ours goes."""

from __future__ import annotations

from dataclasses import dataclass

from speech.events import milliseconds


@dataclass(slots=True)
class Stages:
    """Times of one reply on the clock of its dialogue, in seconds; None: not reached, or there was none."""

    speech_end: float | None = None
    """The user's last speech."""
    final: float | None = None
    """The final text of the turn."""
    endpoint: float | None = None
    """The decision that the turn is over."""
    token: float | None = None
    """First text of the answer."""
    sample: float | None = None
    """First sample of speech."""
    sent: float | None = None
    """First sample that has left."""

    def to_dict(self) -> dict[str, int]:
        """Milliseconds from the end of speech to each stage that was reached; without speech from the decision."""
        begin = self.speech_end if self.speech_end is not None else self.endpoint
        if begin is None:
            return {}
        times = {name: getattr(self, name) for name in STAGES}
        return {name: milliseconds(at - begin) for name, at in times.items() if at is not None}


STAGES = ("final", "endpoint", "token", "sample", "sent")
