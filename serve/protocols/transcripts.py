"""Transcript messages in the form that the client asked for: with or without words, full text or deltas."""

from __future__ import annotations

from msgspec import UNSET

from serve.protocols import wire
from speech.events import TranscriptEvent


class Transcripts:
    """Builds the transcript messages of one session.

    Args:
        start: options of the client.

    Attributes:
        interim: revisable, append or off; `update` may change it.
    """

    def __init__(self, start: wire.StartMessage) -> None:
        self.interim = "revisable" if start.interim is UNSET else start.interim
        self._words = start.words
        self._appended = 0
        """Number of words of the segment that were sent as `delta`."""

    def message(self, event: TranscriptEvent, lag_ms: int) -> wire.ServerMessage | None:
        """The message for an event; None if there is nothing new to send."""
        record = event.to_dict() | {"lag_ms": lag_ms}
        if self.interim == "append":
            fresh = event.words[self._appended : event.stable]
            if not fresh and not event.is_final:
                return None
            record["delta"] = event.delta(self._appended)
            if not event.is_final:
                del record["text"]
                record["words"] = record["words"][self._appended : event.stable]
            self._appended = event.stable
        if event.is_final:
            self._appended = 0
        if not self._words:
            del record["words"]
        return wire.from_record(record)
