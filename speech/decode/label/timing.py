"""When the words of a written text were said: by CTC, which reads their letters off frames, or by cross-attention."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.ctc_score import first_frames
from speech.decode.label.joint import Speller, Spelling
from speech.decode.words.alignment import align
from speech.errors import SpeechError
from speech.text.units import is_mixed

_LEAST_SPELLED = 0.5
"""Share of the words that CTC must be able to write for its times to be taken."""
_UNHEARD = 0.5
"""Confidence in a word that CTC cannot write."""
_LEAST = 1e-10
"""Probability of a piece."""


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
    sure: float | None = None
    """Log-probability of a token by the label decoder, on average, if it is known."""

    def within(self, first: int, last: int, *, rested: bool = False) -> Written:
        """Words that begin in frames `first .. last`; `rested`: none is said before, and what seems to be is later."""
        words, spans = [], list[TokenSpan]()
        for word in self.words:
            own = self.spans[word.first : word.last + 1]
            if rested:
                own = tuple(
                    TokenSpan(s.id, max(s.start_frame, first), max(s.end_frame, first), s.confidence) for s in own
                )
            if first <= own[0].start_frame < last:
                words.append(WrittenWord(word.text, len(spans), len(spans) + len(own) - 1))
                spans += own
        return Written(tuple(words), tuple(spans), self.language, sure=self.sure)


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


def beginnings(text: str, words: Sequence[str]) -> list[str]:
    """The text up to the end of each of its `written_words`."""
    ends = [place + 1 for place, character in enumerate(text) if not character.isspace()]
    counts = itertools.accumulate(len("".join(word.split())) for word in words)
    return [text[: ends[count - 1]] for count in counts]


def _apart(chunk: str) -> list[str]:
    """What stands between two spaces, before and behind characters that stand alone; signs go with what is before."""
    parts: list[str] = []
    waiting, alone = "", True
    for character in chunk:
        letter = character.isalnum()
        if parts and not (letter and (alone or is_mixed(character))):
            parts[-1] += character
        elif not letter:
            waiting += character
        else:
            parts.append(waiting + character)
            waiting, alone = "", is_mixed(character)
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
    spelled = [_letters(word, spell(word)) for word in words]
    if sum(bool(ids) for ids, _ in spelled) < max(_LEAST_SPELLED * len(words), 1):
        return None
    try:
        found = align(torch.from_numpy(log_probs), [token for ids, _ in spelled for token in ids], blank).spans
    except SpeechError:  # more letters than there are frames for
        return None
    spans: list[TokenSpan] = []
    placed: list[WrittenWord] = []
    at = 0
    for word, (ids, space) in zip(words, spelled, strict=True):
        own = found[at + space : at + len(ids)]  # a word begins with its first letter
        at += len(ids)
        if not own:
            start = min(spans[-1].end_frame if spans else 0, len(log_probs) - 1)
            end = found[at].start_frame if at < len(found) else len(log_probs)
            own = [TokenSpan(blank, start, max(start, end), _UNHEARD)]
        placed.append(WrittenWord(word, len(spans), len(spans) + len(own) - 1))
        spans += own
    return Written(tuple(placed), tuple(spans))


def _letters(word: str, spelling: Spelling) -> tuple[tuple[int, ...], int]:
    """Tokens of a word, and how many are a space: none need be heard in front of a character that stands alone."""
    first = next(filter(str.isalnum, word), "")
    return (spelling.ids[1:], 0) if spelling.space and is_mixed(first) else (spelling.ids, int(spelling.space))


def time_by_attention(
    words: Sequence[str],
    pieces: Sequence[bytes],
    attention: np.ndarray,
    chances: Sequence[float],
    frames: int,
    scale: float = 1.0,
) -> Written:
    """Words on the frames that the decoder attended to while it wrote their pieces.

    The path through (piece, frame) along which attention is highest, both going forward only (Radford et al. 2022;
    dynamic time warping). Bytes of a piece share its frames evenly.

    Args:
        words: as they are written.
        pieces: bytes of the tokens, which make up the words, spaces aside; words that they lack are at the end.
        attention: `(pieces + 1, T)`, of each piece and the end, mean over alignment heads, standardised.
        chances: probability of each piece.
        frames: that there are, at most, in the result.
        scale: frames of the result to one of attention.
    """
    sizes = np.cumsum([0, *map(len, pieces)])
    begins, ends = _places(b"".join(pieces).decode("utf-8", "ignore"), sizes) or ([0], [1])
    starts = first_frames(attention)
    ahead = attention[0, : max(starts[1], 1)]  # silence in front of the first word is in its frames
    starts[0] = int((ahead >= ahead.max() / 2).argmax())
    starts = starts * scale
    spans, placed = list[TokenSpan](), list[WrittenWord]()
    at = 0
    for word in words:
        first, at = at, at + len("".join(word.split()))
        low, high = begins[min(first, len(begins) - 1)], ends[min(at, len(ends)) - 1]
        own = chances[_piece(sizes, low) : _piece(sizes, high - 1) + 1]
        chance = float(np.exp(np.mean(np.log(np.maximum(own, _LEAST)))))
        start, end = np.rint(np.interp([low, high], sizes, starts)).astype(int).tolist()
        start = min(start, frames - 1)
        spans.append(TokenSpan(0, start, min(max(end, start + 1), frames), chance))
        placed.append(WrittenWord(word, len(spans) - 1, len(spans) - 1))
    return Written(tuple(placed), tuple(spans))


def _places(text: str, sizes: np.ndarray) -> tuple[list[int], list[int]] | None:
    """First byte, and the one after the last, of each character that is no space; a space in front of it within its
    piece belongs to it. `sizes` are where pieces begin. None: there are no such characters."""
    begins, ends = list[int](), list[int]()
    at = 0
    for character in text:
        before, at = at, at + len(character.encode())
        if character.isspace():
            continue
        begins.append(max(int(sizes[_piece(sizes, before)]), ends[-1] if ends else 0))
        ends.append(at)
    return (begins, ends) if ends else None


def _piece(sizes: np.ndarray, byte: int) -> int:
    """Which piece a byte lies in."""
    return int(np.searchsorted(sizes, byte, side="right")) - 1
