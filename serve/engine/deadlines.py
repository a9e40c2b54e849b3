"""Who is said next: the client whose audio runs out first. Pure state; times are given."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

FIRST_PACKET_S = 0.8
"""Seconds after a text when its first packet is due. Clients that hear something and have less in reserve go first, so
that new ones do not silence them; after these seconds, new ones go before all whose audio lasts longer. Shorter makes
gaps, longer makes the last ones of many new clients wait: with .8 at a load of .84, simulated, gaps are a sixth of
those with .3."""


class HandedOver(NamedTuple):
    """What a packet meant for its client."""

    first_s: float | None = None
    """Seconds since the text was asked for, of its first packet; else None."""
    late_s: float = 0.0
    """Seconds for which there was nothing to play."""


class Playback:
    """What a client has in reserve, if it plays packets from the first one on and waits for late ones."""

    def __init__(self) -> None:
        self._due_s, self._asked_s, self._plays = 0.0, 0.0, False

    @property
    def plays(self) -> bool:
        """Whether a packet has been handed over since the client had heard all."""
        return self._plays

    @property
    def due_s(self) -> float:
        """When the next packet is needed. It is only ever put off: by audio, or by silence that the client wanted."""
        return self._due_s

    def ask(self, now_s: float) -> None:
        """Text has come while there was none to say. Whoever has heard all so far waits for a first packet again."""
        if not self._plays or self._due_s <= now_s:
            self._due_s, self._asked_s, self._plays = now_s + FIRST_PACKET_S, now_s, False

    def hand_over(self, audio_s: float, now_s: float) -> HandedOver:
        """A packet has been made.

        Args:
            audio_s: how long it is, above 0.
            now_s: the time.
        """
        if not self._plays:
            self._plays, self._due_s = True, now_s + audio_s
            return HandedOver(first_s=now_s - self._asked_s)
        late_s = max(now_s - self._due_s, 0.0)
        self._due_s = max(self._due_s, now_s) + audio_s
        return HandedOver(late_s=late_s)


class EarliestDeadline[Waiting: Hashable]:
    """Those who wait for a turn. The one with the earliest deadline gets it; of equal ones, the first that came.

    Nobody starves: a deadline of one who waits stays, while those of others move on with each packet that they get, and
    those of new ones lie ahead.
    """

    def __init__(self) -> None:
        self._due_s: dict[Waiting, float] = {}

    def __len__(self) -> int:
        return len(self._due_s)

    def wait(self, who: Waiting, due_s: float) -> None:
        """Wait for a turn, with a deadline."""
        self._due_s[who] = due_s

    def leave(self, who: Waiting) -> None:
        """Wait no more; who does not wait may leave, too."""
        self._due_s.pop(who, None)

    def take(self) -> Waiting | None:
        """Whose turn it is, who then waits no more; None if nobody waits."""
        if not self._due_s:
            return None
        chosen = min(self._due_s, key=self._due_s.__getitem__)
        del self._due_s[chosen]
        return chosen
