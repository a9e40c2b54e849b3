"""Parts of one stream that wait to be read with full context, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from speech.audio import SAMPLE_RATE
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult


class PartQueue:
    """Complete parts, and between them growing ones that are to be drafted.

    A pause may let a part be read before it is complete: such a reading is kept, and used if the part turns out to be
    the same.

    Args:
        late_s: seconds of audio behind which a draft is late. Late drafts are left out if a later one or the complete
            part waits; None: never.
    """

    def __init__(self, late_s: float | None = None) -> None:
        self._late = None if late_s is None else round(late_s * SAMPLE_RATE)
        self._parts: deque[Part] = deque()
        self._ahead: tuple[Part, list[Request], list[PartResult]] | None = None

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def first(self) -> Part:
        """The part to read next."""
        return self._parts[0]

    @property
    def complete(self) -> bool:
        """Whether a complete part waits."""
        return any(not part.growing for part in self._parts)

    def add(self, parts: Iterable[Part]) -> None:
        """Queue parts, and leave out drafts that are late because of them."""
        self._parts += parts
        if self._late is None or len(self._parts) < 2:
            return
        newest, late = self._parts[-1], self._late
        kept = [self._parts[0]] if newest.growing else []  # the first may be read at this moment
        kept += [
            part
            for part in list(self._parts)[len(kept) : -1]
            if not part.growing or part.start != newest.start or newest.end_sample - part.end_sample <= late
        ]
        self._parts = deque([*kept, newest])

    def pop(self) -> None:
        """Remove the first part."""
        self._parts.popleft()

    def keep(self, part: Part, requests: Sequence[Request], heard: Sequence[PartResult]) -> None:
        """Keep a reading of the first part, or of the one that the current pause will complete."""
        self._ahead = part, list(requests), list(heard)

    def knows(self, part: Part) -> bool:
        """Whether a reading of this part is kept."""
        return self._ahead is not None and self._ahead[0].place == part.place

    def reading(self, part: Part, requests: Sequence[Request]) -> list[PartResult] | None:
        """Remove the kept reading and return it if it is one of this part for these requests."""
        if self._ahead is None:
            return None
        (read, asked, heard), self._ahead = self._ahead, None
        same = read.place == part.place and read.translated == part.translated
        return heard if same and asked == list(requests) else None
