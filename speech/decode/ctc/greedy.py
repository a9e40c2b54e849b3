"""Best path decoding: the most probable token of each frame, repeats and blanks removed (Graves et al. 2006)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from speech.decode.ctc.frames import CtcFrames, without


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A token with its frames."""

    id: int
    start_frame: int
    """First frame."""
    end_frame: int
    """Frame after the last."""
    confidence: float
    """Maximum probability within its frames."""


def greedy(
    frames: CtcFrames, *, blank: int = 0, forbidden: Collection[int] = (), languages: Sequence[str] = ()
) -> list[list[TokenSpan]]:
    """Token spans of each utterance; tokens in `forbidden` are never emitted, and `languages` are ignored."""
    best, ids = without(frames.log_probs, forbidden).max(dim=-1)
    return [
        collapse(row[:length], confidence[:length], blank)
        for row, confidence, length in zip(ids.tolist(), best.exp().tolist(), frames.lengths.tolist(), strict=True)
    ]


def collapse(ids: Sequence[int], confidence: Sequence[float], blank: int = 0) -> list[TokenSpan]:
    """Token spans from the best token and its probability per frame."""
    spans: list[TokenSpan] = []
    start = 0
    for end in range(1, len(ids) + 1):
        if end < len(ids) and ids[end] == ids[start]:
            continue
        if ids[start] != blank:
            spans.append(TokenSpan(ids[start], start, end, max(confidence[start:end])))
        start = end
    return spans


class Runs:
    """Incremental `collapse`: each frame is processed once, and old spans can be dropped.

    The length is the number of frames so far.
    """

    def __init__(self, blank: int = 0) -> None:
        self._blank = blank
        self._frames = 0
        self._said: deque[TokenSpan] = deque()
        """Completed spans."""
        self._last: TokenSpan | None = None
        """Run of the last frame, blank or not."""

    def __len__(self) -> int:
        return self._frames

    def extend(self, ids: Iterable[int], confidence: Iterable[float]) -> None:
        """Append frames, given the best token of each and its probability."""
        for token, chance in zip(ids, confidence, strict=True):
            last, self._frames = self._last, self._frames + 1
            if last is not None and last.id == token:
                self._last = TokenSpan(token, last.start_frame, self._frames, max(last.confidence, chance))
                continue
            if last is not None and last.id != self._blank:
                self._said.append(last)
            self._last = TokenSpan(token, self._frames - 1, self._frames, chance)

    def forget(self, first: int) -> None:
        """Drop spans that begin before frame `first`."""
        while self._said and self._said[0].start_frame < first:
            self._said.popleft()

    def since(self, first: int) -> list[TokenSpan]:
        """Spans that begin at frame `first` or later; earlier ones are dropped."""
        self.forget(first)
        last = self._last
        if last is None or last.id == self._blank or last.start_frame < first:
            return [*self._said]
        return [*self._said, last]
