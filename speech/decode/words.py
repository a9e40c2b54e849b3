"""Tokens on frames to words with times and confidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from speech.decode.greedy import TokenSpan
from speech.transcript import Word

WORD_START = "\u2581"
_LONGEST_TAIL_S = 0.2


@dataclass(slots=True)
class _Draft:
    """A word under way, in frames."""

    start: float
    end: float
    text: str = ""
    confidences: list[float] = field(default_factory=list)


def words_from_tokens(
    spans: Sequence[TokenSpan],
    piece: Callable[[int], str],
    *,
    frame_s: float,
    offset_s: float,
    duration_s: float,
    language: str | None,
    spaces: bool,
) -> list[Word]:
    """Words whose join is the tokenizer's decoding of the same tokens.

    CTC says a token at its peak: a word is taken to last into the blank after it, for at most half the gap to the next
    word and 0.2 s.

    Args:
        spans: tokens in order, special ones left out.
        piece: token id to SentencePiece piece; a leading "\\u2581" begins a word.
        frame_s: seconds from frame to frame.
        offset_s: time of frame 0.
        duration_s: of the audio; no word ends later.
        language: ISO 639-3 of the words.
        spaces: whether the language writes spaces; otherwise every character is a word.
    """
    drafts = _by_word(spans, piece) if spaces else _by_character(spans, piece)
    words: list[Word] = []
    for number, draft in enumerate(drafts):
        start_s = min(draft.start * frame_s + offset_s, duration_s)
        end_s = draft.end * frame_s + offset_s
        following = drafts[number + 1].start * frame_s + offset_s if number + 1 < len(drafts) else math.inf
        end_s = min(end_s + min(max(following - end_s, 0.0) / 2, _LONGEST_TAIL_S), duration_s)
        confidence = math.exp(sum(math.log(max(c, 1e-10)) for c in draft.confidences) / len(draft.confidences))
        words.append(Word(draft.text, start_s, max(end_s, start_s), min(confidence, 1.0), language))
    return words


def _by_word(spans: Sequence[TokenSpan], piece: Callable[[int], str]) -> list[_Draft]:
    drafts: list[_Draft] = []
    open_word = False
    for span in spans:
        # A piece may hold several words ("▁of▁the"); each begins where the piece does.
        for number, part in enumerate(piece(span.id).split(WORD_START)):
            if number > 0:
                open_word = False
            if not part:
                continue
            if not open_word:
                drafts.append(_Draft(span.start_frame, span.end_frame))
                open_word = True
            drafts[-1].text += part
            drafts[-1].end = span.end_frame
            drafts[-1].confidences.append(span.confidence)
    return drafts


def _by_character(spans: Sequence[TokenSpan], piece: Callable[[int], str]) -> list[_Draft]:
    drafts: list[_Draft] = []
    for span in spans:
        text = piece(span.id).replace(WORD_START, "")
        share = (span.end_frame - span.start_frame) / max(len(text), 1)
        for number, character in enumerate(text):
            start = span.start_frame + number * share
            drafts.append(_Draft(start, start + share, character, [span.confidence]))
    return drafts
