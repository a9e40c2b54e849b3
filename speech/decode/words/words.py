"""Converts tokens on frames to words with timestamps and confidences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from speech.decode.ctc.greedy import TokenSpan
from speech.text.units import is_mixed
from speech.text.vocabulary import WORD_START
from speech.transcript import Word

_LONGEST_TAIL_S = 0.2


@dataclass(slots=True)
class WordDraft:
    """A word whose language and final end time are not yet known."""

    first: int
    """Index of its first token."""
    last: int
    """Index of its last token."""
    start: float
    """Start, in frames."""
    end: float
    text: str = ""


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
    """Words that join to the tokenizer's decoding of the same tokens.

    Args:
        spans: tokens in order, without special ones.
        piece: token id to SentencePiece piece; a leading "\u2581" begins a word.
        frame_s: seconds between frames.
        offset_s: time of frame 0.
        duration_s: duration of the audio; no word ends later.
        language: ISO 639-3 code of the words.
        spaces: whether the language uses spaces; otherwise every character is a word.
    """
    drafts = _by_word(spans, piece) if spaces else _by_character(spans, piece)
    return finished(spans, drafts, [language] * len(drafts), frame_s=frame_s, offset_s=offset_s, duration_s=duration_s)


def finished(
    spans: Sequence[TokenSpan],
    drafts: Sequence[WordDraft],
    languages: Sequence[str | None],
    *,
    frame_s: float,
    offset_s: float,
    duration_s: float,
) -> list[Word]:
    """Complete drafts to words with their languages.

    CTC emits a token at its peak, so a word is extended into the following blank, by at most half the gap to the
    next word and 0.2 s.
    """
    words: list[Word] = []
    for number, (draft, language) in enumerate(zip(drafts, languages, strict=True)):
        start_s = min(draft.start * frame_s + offset_s, duration_s)
        end_s = draft.end * frame_s + offset_s
        following = drafts[number + 1].start * frame_s + offset_s if number + 1 < len(drafts) else math.inf
        end_s = min(end_s + min(max(following - end_s, 0.0) / 2, _LONGEST_TAIL_S), duration_s)
        own = [math.log(max(span.confidence, 1e-10)) for span in spans[draft.first : draft.last + 1]]
        confidence = math.exp(sum(own) / len(own))
        words.append(Word(draft.text, start_s, max(end_s, start_s), min(confidence, 1.0), language))
    return words


def mixed_drafts(spans: Sequence[TokenSpan], piece: Callable[[int], str]) -> list[WordDraft]:
    """Drafts for mixed languages: characters of scripts without spaces are words of their own, other text is split at
    word starts."""
    drafts: list[WordDraft] = []
    open_word = False
    for index, span in enumerate(spans):
        text = piece(span.id)
        share = (span.end_frame - span.start_frame) / max(len(text.replace(WORD_START, "")), 1)
        at = float(span.start_frame)
        for character in text:
            if character == WORD_START:
                open_word = False
                continue
            alone = is_mixed(character)
            if alone or not open_word:
                drafts.append(WordDraft(index, index, at, at))
            drafts[-1].text += character
            at += share
            drafts[-1].last, drafts[-1].end = index, at
            open_word = not alone
    return drafts


def _by_word(spans: Sequence[TokenSpan], piece: Callable[[int], str]) -> list[WordDraft]:
    drafts: list[WordDraft] = []
    open_word = False
    for index, span in enumerate(spans):
        # A piece may hold several words ("▁of▁the"); each begins where the piece does.
        for number, part in enumerate(piece(span.id).split(WORD_START)):
            if number > 0:
                open_word = False
            if not part:
                continue
            if not open_word:
                drafts.append(WordDraft(index, index, span.start_frame, span.end_frame))
                open_word = True
            drafts[-1].text += part
            drafts[-1].last, drafts[-1].end = index, span.end_frame
    return drafts


def _by_character(spans: Sequence[TokenSpan], piece: Callable[[int], str]) -> list[WordDraft]:
    drafts: list[WordDraft] = []
    for index, span in enumerate(spans):
        text = piece(span.id).replace(WORD_START, "")
        share = (span.end_frame - span.start_frame) / max(len(text), 1)
        for number, character in enumerate(text):
            start = span.start_frame + number * share
            drafts.append(WordDraft(index, index, start, start + share, character))
    return drafts
