"""Word timestamps for a given text, by CTC alignment or by cross-attention."""

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
from speech.transcript import Toxicity

_LEAST_SPELLED = 0.5
"""Minimum share of words that CTC can write for its timestamps to be used."""
_UNHEARD = 0.5
"""Confidence of a word that CTC cannot write."""
_LEAST = 1e-10
"""Floor for piece probabilities."""


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """A written word with the range of its spans."""

    text: str
    first: int
    """Index of its first span."""
    last: int
    """Index of its last span."""


@dataclass(frozen=True, slots=True)
class TimedText:
    """A text with timestamps: words, and the spans of their tokens, in order."""

    words: tuple[WrittenWord, ...] = ()
    spans: tuple[TokenSpan, ...] = ()
    language: str | None = None
    """ISO 639-3 code of the speech."""
    confidence: float = 1.0
    """Posterior of the text among the texts found."""
    others: tuple[TimedText, ...] = ()
    """Alternatives from likely to unlikely, if n-best texts are requested."""
    sure: float | None = None
    """Mean log-probability per token by the label decoder, if known."""
    toxicity: Toxicity | None = None
    """Toxicity that a translation added before it was guarded."""

    def within(self, first: int, last: int, *, rested: bool = False) -> TimedText:
        """Words that begin in frames `first .. last`; with `rested`, earlier spans are moved to `first`, since nothing
        is said before."""
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
        return TimedText(tuple(words), tuple(spans), self.language, sure=self.sure, toxicity=self.toxicity)


def written_words(text: str) -> list[str]:
    """Split a text at spaces; characters of scripts without spaces are words of their own. Standalone punctuation is
    attached to the word before it or, at the start of the text, to the word after it."""
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
    """The prefixes of the text that end with each of its `written_words`."""
    ends = [place + 1 for place, character in enumerate(text) if not character.isspace()]
    counts = itertools.accumulate(len("".join(word.split())) for word in words)
    return [text[: ends[count - 1]] for count in counts]


def _apart(chunk: str) -> list[str]:
    """Split a chunk without spaces around standalone characters; punctuation is attached to what precedes it."""
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


def time_by_ctc(words: Sequence[str], log_probs: np.ndarray, spell: Speller, blank: int = 0) -> TimedText | None:
    """Time words by CTC alignment; None if CTC cannot write most of them, or there are too few frames.

    A word that CTC cannot write is placed between its neighbours.

    Args:
        words: written words.
        log_probs: `(T, vocabulary)`.
        spell: converts a word to CTC tokens.
        blank: id of blank.
    """
    spelled = [_letters(word, spell(word)) for word in words]
    if sum(bool(ids) for ids, _ in spelled) < max(_LEAST_SPELLED * len(words), 1):
        return None
    try:
        found = align(torch.from_numpy(log_probs), [token for ids, _ in spelled for token in ids], blank).spans
    except SpeechError:  # more tokens than frames
        return None
    spans: list[TokenSpan] = []
    placed: list[WrittenWord] = []
    at = 0
    for word, (ids, space) in zip(words, spelled, strict=True):
        own = found[at + space : at + len(ids)]  # the time of a word starts at its first letter
        at += len(ids)
        if not own:
            start = min(spans[-1].end_frame if spans else 0, len(log_probs) - 1)
            end = found[at].start_frame if at < len(found) else len(log_probs)
            own = [TokenSpan(blank, start, max(start, end), _UNHEARD)]
        placed.append(WrittenWord(word, len(spans), len(spans) + len(own) - 1))
        spans += own
    return TimedText(tuple(placed), tuple(spans))


def _letters(word: str, spelling: Spelling) -> tuple[tuple[int, ...], int]:
    """Tokens of a word, and its number of leading space tokens; a standalone character needs none."""
    first = next(filter(str.isalnum, word), "")
    return (spelling.ids[1:], 0) if spelling.space and is_mixed(first) else (spelling.ids, int(spelling.space))


def time_by_attention(
    words: Sequence[str],
    pieces: Sequence[bytes],
    attention: np.ndarray,
    chances: Sequence[float],
    frames: int,
    scale: float = 1.0,
) -> TimedText:
    """Time words by the decoder's cross-attention over their pieces.

    Finds the monotonic path through (piece, frame) with the highest attention (Radford et al. 2022; dynamic time
    warping). The bytes of a piece share its frames evenly.

    Args:
        words: written words.
        pieces: bytes of the tokens, which spell the words apart from spaces; words beyond them are placed at the
            end.
        attention: `(pieces + 1, T)`, for each piece and the end token, standardised, averaged over alignment heads.
        chances: probability of each piece.
        frames: number of result frames.
        scale: result frames per attention frame.
    """
    sizes = np.cumsum([0, *map(len, pieces)])
    begins, ends = _places(b"".join(pieces).decode("utf-8", "ignore"), sizes) or ([0], [1])
    starts = first_frames(attention)
    ahead = attention[0, : max(starts[1], 1)]  # its frames include leading silence
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
    return TimedText(tuple(placed), tuple(spans))


def _places(text: str, sizes: np.ndarray) -> tuple[list[int], list[int]] | None:
    """Byte range of each non-space character, starting with a space before it in the same piece; `sizes` are the byte
    offsets of pieces. None if there are no such characters."""
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
    """Index of the piece that contains a byte."""
    return int(np.searchsorted(sizes, byte, side="right")) - 1
