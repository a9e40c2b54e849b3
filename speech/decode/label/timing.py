"""When the words of a written text were said: by CTC, which reads their letters off frames, or by cross-attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from speech.decode.forced_alignment import align
from speech.decode.greedy import TokenSpan
from speech.decode.label.joint import Speller
from speech.errors import SpeechError
from speech.text.units import is_mixed

_LEAST_SPELLED = 0.5
"""Share of the words that CTC must be able to write for its times to be taken."""


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """A word as it is written, and the spans of its letters."""

    text: str
    first: int
    """Which span it begins with."""
    last: int
    """Which it ends with."""


@dataclass(frozen=True, slots=True)
class Written:
    """A text with times: words, and the spans that they are made of, in order."""

    words: tuple[WrittenWord, ...] = ()
    spans: tuple[TokenSpan, ...] = ()
    language: str | None = None
    """ISO 639-3, of the speech."""
    confidence: float = 1.0
    """Posterior of the text among those that were found."""
    others: tuple[Written, ...] = ()
    """Less likely texts of the same speech, where several are asked for."""

    def within(self, first: int, last: int) -> Written:
        """Words that begin in frames `first .. last`."""
        words, spans = [], list[TokenSpan]()
        for word in self.words:
            if first <= self.spans[word.first].start_frame < last:
                own = self.spans[word.first : word.last + 1]
                words.append(WrittenWord(word.text, len(spans), len(spans) + len(own) - 1))
                spans += own
        return Written(tuple(words), tuple(spans), self.language)

    def shifted(self, frames: int) -> Written:
        """The same, later."""
        moved = (TokenSpan(s.id, s.start_frame + frames, s.end_frame + frames, s.confidence) for s in self.spans)
        return Written(self.words, tuple(moved), self.language)


def written_words(text: str) -> list[str]:
    """Words of a text: what stands between spaces; characters of scripts without spaces stand alone. Signs that are no
    word belong to the word before them, or, at the beginning, to the one behind."""
    found: list[str] = []
    front = ""
    for chunk in text.split():
        if not any(map(str.isalnum, chunk)):
            if found:
                found[-1] += f" {chunk}"
            else:
                front += f"{chunk} "
            continue
        for piece in _apart(chunk):
            found.append(front + piece)
            front = ""
    return found


def join_written(words: Sequence[str]) -> str:
    """The text of `written_words`: a space between two, unless both are of scripts that write none."""
    text = ""
    for word in words:
        tight = not text or (any(map(is_mixed, text[-2:])) and any(map(is_mixed, word[:2])))
        text += word if tight else f" {word}"
    return text


def _apart(chunk: str) -> list[str]:
    """What stands between two spaces, before and behind characters that stand alone."""
    parts: list[str] = []
    waiting, alone = "", True
    for character in chunk:
        if not character.isalnum() and not (parts and not alone):
            if parts:
                parts[-1] += character
            else:
                waiting += character
        elif is_mixed(character):
            parts.append(waiting + character)
            waiting, alone = "", True
        elif parts and not alone:
            parts[-1] += character
        else:
            parts.append(waiting + character)
            waiting, alone = "", False
    return parts


def time_by_ctc(words: Sequence[str], log_probs: np.ndarray, spell: Speller, blank: int = 0) -> Written | None:
    """Words on the frames that say their letters; None where CTC cannot write most of them, or not in so few frames.

    A word that it cannot write lies between its neighbours.

    Args:
        words: as they are written.
        log_probs: `(T, vocabulary)`.
        spell: of one word.
        blank: CTC's.
    """
    spelled = [spell(word).ids for word in words]
    if sum(map(bool, spelled)) < max(_LEAST_SPELLED * len(words), 1):
        return None
    try:
        found = align(torch.from_numpy(log_probs), [token for ids in spelled for token in ids], blank).spans
    except SpeechError:  # more letters than there are frames for
        return None
    spans: list[TokenSpan] = []
    placed: list[WrittenWord] = []
    at = 0
    for word, ids in zip(words, spelled, strict=True):
        own = found[at : at + len(ids)]
        at += len(ids)
        if not own:
            start = spans[-1].end_frame if spans else 0
            end = found[at].start_frame if at < len(found) else len(log_probs)
            own = [TokenSpan(blank, min(start, end), max(start, end), 0.5)]
        placed.append(WrittenWord(word, len(spans), len(spans) + len(own) - 1))
        spans += own
    return Written(tuple(placed), tuple(spans))


def time_by_attention(
    words: Sequence[str], pieces: Sequence[str], attention: np.ndarray, chances: Sequence[float]
) -> Written:
    """Words on the frames that the decoder attended to while it wrote their pieces.

    The path through (piece, frame) along which attention is highest, both going forward only (Radford et al. 2022;
    dynamic time warping).

    Args:
        words: as they are written.
        pieces: texts of the tokens, which make up the words, spaces aside.
        attention: `(pieces, T)`, mean over alignment heads, standardised.
        chances: probability of each piece.
    """
    starts = _warped(attention)
    ends = [*starts[1:], attention.shape[1]]
    spans, placed = list[TokenSpan](), list[WrittenWord]()
    at, left = 0, len("".join(pieces[0].split())) if pieces else 0
    for word in words:
        first, need = at, len("".join(word.split()))
        while need > 0 and at < len(pieces):
            taken = min(need, left)
            need, left = need - taken, left - taken
            if left == 0 and need >= 0:
                at += 1
                left = len("".join(pieces[at].split())) if at < len(pieces) else 0
        last = max(min(at if left < _size(pieces, at) else at - 1, len(pieces) - 1), first)
        own = range(first, last + 1)
        chance = float(np.exp(np.mean([np.log(max(chances[i], 1e-10)) for i in own])))
        spans.append(TokenSpan(0, starts[first], max(ends[last], starts[first] + 1), chance))
        placed.append(WrittenWord(word, len(spans) - 1, len(spans) - 1))
    return Written(tuple(placed), tuple(spans))


def _size(pieces: Sequence[str], at: int) -> int:
    return len("".join(pieces[at].split())) if at < len(pieces) else 0


def _warped(attention: np.ndarray) -> list[int]:
    """First frame of each row on the path of highest attention."""
    rows, frames = attention.shape
    total = np.full((rows, frames), -np.inf)
    came = np.zeros((rows, frames), bool)  # from the row above
    total[0] = attention[0].cumsum()
    for row in range(1, rows):
        best = -np.inf
        for frame in range(frames):
            above = total[row - 1, frame - 1] if frame else -np.inf
            came[row, frame] = above >= best
            best = max(above, best) + attention[row, frame]
            total[row, frame] = best
    starts = [0] * rows
    frame = frames - 1
    for row in range(rows - 1, 0, -1):
        while frame > 0 and not came[row, frame]:
            frame -= 1
        starts[row] = frame
        frame -= 1
    return starts
