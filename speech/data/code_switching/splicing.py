"""Splice pieces of recordings: cut between words and crossfade without clicks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from speech.audio import SAMPLE_RATE
from speech.files import write_atomically
from speech.transcript import Word

_FADE_S = 0.012
_WINDOW_S = 0.02
_HOP_S = 0.005
_MARGIN_S = 0.08
_MOST_GAIN_DB = 15.0
_PEAK = 0.97


@dataclass(frozen=True, slots=True)
class RecordingSpan:
    """Consecutive words of a recording."""

    samples: np.ndarray
    """The whole recording, `(n,)` float32 at 16 kHz."""
    words: Sequence[Word]
    """All words of the recording, with timestamps."""
    first: int
    last: int
    """Exclusive."""
    language: str
    """ISO 639-3."""


def splice(pieces: Sequence[RecordingSpan]) -> tuple[np.ndarray, list[Word]]:
    """Join pieces to samples `(n,)`; also returns their words with new timestamps.

    Each piece is cut at the quietest point between its outer words and their neighbours, scaled to the loudness of the
    first piece, and crossfaded over 12 ms into the next.
    """
    fade = round(_FADE_S * SAMPLE_RATE)
    joined = np.zeros(0, np.float32)
    words: list[Word] = []
    level = 0.0
    for number, piece in enumerate(pieces):
        start, end = _cut(piece, piece.first), _cut(piece, piece.last)
        part = piece.samples[start:end].astype(np.float32)
        speech = _loudness(part)
        level = level or speech
        limit = 10 ** (_MOST_GAIN_DB / 20)
        part = part * np.float32(np.clip(level / max(speech, 1e-6), 1 / limit, limit))
        overlap = min(fade, len(part), len(joined)) if number else 0
        offset = len(joined) - overlap
        joined = _crossfaded(joined, part, overlap)
        for word in piece.words[piece.first : piece.last]:
            shift = (offset - start) / SAMPLE_RATE
            begin, stop = (
                min(max(time + shift, offset / SAMPLE_RATE), len(joined) / SAMPLE_RATE)
                for time in (word.start_s, word.end_s)
            )
            words.append(Word(word.text, begin, stop, word.confidence, piece.language))
    peak = float(np.abs(joined).max(initial=0.0))
    return (joined * np.float32(_PEAK / peak) if peak > _PEAK else joined), words


def _cut(piece: RecordingSpan, place: int) -> int:
    """Index of the quietest sample between word `place` and the word before; the recording's ends for the outermost."""
    words = piece.words
    if place == 0:
        return 0
    if place == len(words):
        return len(piece.samples)
    low, high = words[place - 1].end_s, words[place].start_s
    if high - low < 2 * _MARGIN_S:  # CTC timestamps are peaks, which begin late and end early
        middle = (low + high) / 2
        low = max(middle - _MARGIN_S, (words[place - 1].start_s + words[place - 1].end_s) / 2)
        high = min(middle + _MARGIN_S, (words[place].start_s + words[place].end_s) / 2)
    window, hop = round(_WINDOW_S * SAMPLE_RATE), round(_HOP_S * SAMPLE_RATE)
    first = max(0, round(low * SAMPLE_RATE))
    last = min(len(piece.samples) - window, round(high * SAMPLE_RATE))
    starts = range(first, max(first + 1, last), hop)
    quietest = min(starts, key=lambda at: float(np.sum(piece.samples[at : at + window].astype(np.float64) ** 2)))
    return min(quietest + window // 2, len(piece.samples))


def _loudness(samples: np.ndarray) -> float:
    """Root mean square of the louder half of short windows, so that pauses do not count."""
    window = round(_WINDOW_S * SAMPLE_RATE)
    if len(samples) < window:
        return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    rows = samples[: len(samples) // window * window].reshape(-1, window).astype(np.float64)
    powers = np.sort(np.mean(rows**2, axis=1))
    return float(np.sqrt(np.mean(powers[len(powers) // 2 :])))


def _crossfaded(one: np.ndarray, other: np.ndarray, overlap: int) -> np.ndarray:
    if not overlap:
        return np.concatenate([one, other])
    angle = np.linspace(0.0, np.pi / 2, overlap, dtype=np.float32)  # equal power, without a step at either end
    both = one[-overlap:] * np.cos(angle) + other[:overlap] * np.sin(angle)
    return np.concatenate([one[:-overlap], both, other[overlap:]])


def write_flac(path: Path, samples: np.ndarray) -> None:
    """Write samples `(n,)` at 16 kHz as a 16-bit FLAC file, atomically.

    Raises:
        FileError: if the file cannot be written.
    """
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    write_atomically(path, encoded.getvalue())
