"""Durations of the symbols of a recording in frames, from the times of its words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from speech.errors import DataError
from speech.nn.speech_lm.text_encoder import frame_end
from speech.text.normalize import plain_text
from speech.transcript import Word


def times_of_words(spoken: Sequence[str], aligned: Sequence[Word]) -> list[tuple[float, float]]:
    """When words are said, by an alignment that may have cut or joined them; its words share their time evenly among
    their letters.

    Args:
        spoken: words of a text, in order.
        aligned: words of the same letters with their times, as of `Recognizer.align`.

    Returns:
        For each word its begin and end in seconds; a word without letters lasts no time.

    Raises:
        DataError: if the letters are others.
    """
    letters: list[tuple[float, float]] = []
    for word in aligned:
        count = len(plain_text(word.text).replace(" ", ""))
        step_s = (word.end_s - word.start_s) / max(count, 1)
        letters += [(word.start_s + n * step_s, word.start_s + (n + 1) * step_s) for n in range(count)]
    counts = [len(plain_text(word).replace(" ", "")) for word in spoken]
    if sum(counts) != len(letters):
        text = f"{sum(counts)} letters are spoken, {len(letters)} were found in the recording"
        raise DataError(text, fix="Write the text in words, as it is spoken.")
    found: list[tuple[float, float]] = []
    for first, last in pairwise(accumulate(counts, initial=0)):
        nowhere = letters[first - 1][1] if first else 0.0
        found.append((letters[first][0], letters[last - 1][1]) if last > first else (nowhere, nowhere))
    return found


def frames_of_symbols(
    weights: Sequence[float],
    words: Sequence[tuple[int, int]],
    times_s: Sequence[tuple[float, float]],
    frames: int,
    frame_s: float,
) -> list[int]:
    """Durations of symbols that fill a recording. The symbols of a word share its time, the others the silence between
    words, each in proportion to its weight. Where no symbol stands for a silence, the words beside it share it.

    Args:
        weights: of each symbol, 0 or more, such as durations that a model expects.
        words: the first symbol of each word, and one behind its last; a word without symbols is silence.
        times_s: begin and end of each word in seconds; what is beyond the recording or goes back is cut off.
        frames: length of the recording.
        frame_s: seconds per frame.

    Returns:
        Frames of each symbol; their sum is `frames`.
    """
    seconds = [0.0] * len(weights)
    for first, last, duration_s in _stretches(len(weights), words, times_s, frames * frame_s):
        total = sum(weights[first:last])
        for symbol in range(first, last):
            share = weights[symbol] / total if total > 0 else 1 / (last - first)
            seconds[symbol] = duration_s * share
    ends = [min(frame_end(end_s / frame_s), frames) for end_s in accumulate(seconds)]
    ends[-1:] = [frames] if ends else []
    return [end - start for start, end in pairwise([0, *ends])]


def _stretches(
    symbols: int, words: Sequence[tuple[int, int]], times_s: Sequence[tuple[float, float]], total_s: float
) -> list[tuple[int, int, float]]:
    """First symbol, one behind the last, and seconds of each word and each silence that has symbols."""
    found: list[tuple[int, int, float]] = []
    place, now_s = 0, 0.0
    for (first, last), (start_s, end_s) in zip(words, times_s, strict=True):
        if last <= max(first, place):
            continue
        first, begin_s = max(first, place), min(max(start_s, now_s), total_s)
        if first > place:
            found.append((place, first, begin_s - now_s))
        elif found:  # no symbol stands for the silence: it ends in its middle
            before, behind, duration_s = found[-1]
            middle_s = (now_s + begin_s) / 2
            found[-1] = before, behind, duration_s + middle_s - now_s
            begin_s = middle_s
        else:
            begin_s = 0.0
        now_s = min(max(end_s, begin_s), total_s)
        found.append((first, last, now_s - begin_s))
        place = last
    if place < symbols:
        found.append((place, symbols, total_s - now_s))
    elif found:
        first, last, duration_s = found[-1]
        found[-1] = first, last, duration_s + total_s - now_s
    return found
