"""Recordings of turns, finished or broken off, up to the pause behind them, as a live session hears them.

Whole clips and cut ones are treated alike, so that nothing but the voice tells them apart: silence around them goes,
the end fades within the same few milliseconds, and the same floor of noise lies under both.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.vad import Vad
from speech.decode.endpoint import EndpointConfig
from speech.errors import DataError
from speech.files import printable, write_atomically
from speech.models.turn_voice import last_heard
from speech.recognize.parts import Part, PartCutter

PAUSE_S = 0.25
"""Pause behind which a turn is judged."""
_GRID = 1280
_SOUND = (0.01, 0.03)
"""Share of the peak from which on a sample belongs to what is said, drawn anew for each."""
_FADE_S = 0.03
_JITTER_S = 0.015
_FLOORS_DB = (-75.0, -45.0)
_DIGITAL = 0.4
"""Share without any noise."""
_LEAST_WORDS = 3
_SEVERAL = re.compile(r"[.!?…;:]\s+\w")
"""A text of several sentences."""
_FIELDS = ("samples", "lengths", "finished", "ids", "languages", "texts")


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """What was heard of a turn before its pause."""

    id: str
    language: str
    samples: np.ndarray
    """`(n,)` float32 at 16 kHz, up to a moment behind the end of the speech."""
    finished: bool
    text: str = ""
    """What a recogniser wrote of it; empty if it was not asked."""


class TurnHearer:
    """Makes turns of clips.

    Args:
        vad: finds the end of the speech.
        cuts: how often a clip is cut at most.
        recognised: writes the text of samples in a language; None: texts are not wanted.
    """

    def __init__(self, vad: Vad, cuts: int, recognised: Callable[[np.ndarray, str], str] | None = None) -> None:
        self._vad, self._cuts, self._recognised = vad, cuts, recognised

    def turns(
        self,
        samples: np.ndarray,
        words: Sequence[tuple[str, float, float]],
        text: str,
        name: tuple[str, str],
        rng: random.Random,
    ) -> Iterator[HeardTurn]:
        """A clip as a finished turn, and cut behind some of its words; where it pauses itself, it is broken off, too.

        Args:
            samples: of the clip.
            words: with begin and end in seconds; a clip with fewer than three is not cut.
            text: as written.
            name: id and language.
            rng: draws places, fades and noise.
        """
        whole = _parts(self._vad, as_heard(samples, rng))
        if not whole:
            return
        if not _SEVERAL.search(text):  # otherwise a pause may lie between sentences
            yield from (self._turn(part, name, finished=False) for part in whole[:-1])
        yield self._turn(whole[-1], name, finished=True)
        if len(words) < _LEAST_WORDS:
            return
        for place in rng.sample(range(1, len(words)), min(self._cuts, len(words) - 1)):
            between_s = (words[place - 1][2] + words[place][1]) / 2 + rng.gauss(0.0, _JITTER_S)
            kept = samples[: max(round(between_s * SAMPLE_RATE), 1)]
            yield from (self._turn(part, name, finished=False) for part in _parts(self._vad, as_heard(kept, rng))[-1:])

    def _turn(self, part: Part, name: tuple[str, str], *, finished: bool) -> HeardTurn:
        heard = last_heard(part.samples, part.speech_end - part.start).astype(np.float32)
        text = "" if self._recognised is None else self._recognised(part.samples, name[1])
        return HeardTurn(*name, heard, finished, text)


def as_heard(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Samples without the silence around them, faded out, with a pause before and behind, over noise or nothing."""
    peak = float(np.abs(samples).max(initial=0.0))
    loud = np.flatnonzero(np.abs(samples) >= rng.uniform(*_SOUND) * max(peak, 1e-9))
    kept = samples[loud[0] : loud[-1] + 1].copy() if len(loud) else samples.copy()
    fade = min(round(rng.uniform(0.0, _FADE_S) * SAMPLE_RATE), len(kept))
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade, dtype=kept.dtype)
    before = round(rng.uniform(0.1, 0.4) * SAMPLE_RATE)
    made = np.concatenate([np.zeros(before, np.float32), kept, np.zeros(SAMPLE_RATE // 2, np.float32)])
    if rng.random() >= _DIGITAL:
        noise = np.random.default_rng(rng.randrange(1 << 32)).standard_normal(len(made) + 8)
        smooth = np.convolve(noise, np.ones(rng.randrange(1, 9)), "valid")[: len(made)]
        made += (smooth / smooth.std() * 10 ** (rng.uniform(*_FLOORS_DB) / 20)).astype(np.float32)
    return made


def _parts(vad: Vad, samples: np.ndarray) -> list[Part]:
    """Parts with speech, each up to a pause."""
    rules = EndpointConfig()
    cutter = PartCutter(vad, rules.limited(PAUSE_S, rules.max_s), grid=_GRID)
    return [part for part in cutter.accept(samples) if part.quiet and part.speech_end > part.first_sample]


def write_heard(path: Path, turns: Sequence[HeardTurn]) -> None:
    """Write turns as one file of numpy arrays, which appears whole or not at all."""
    stored = [np.clip(np.round(own.samples * 32767), -32768, 32767).astype(np.int16) for own in turns]
    held = BytesIO()
    np.savez(
        held,
        samples=np.concatenate(stored),
        lengths=np.array([len(own) for own in stored]),
        finished=np.array([own.finished for own in turns]),
        ids=np.array([own.id for own in turns]),
        languages=np.array([own.language for own in turns]),
        texts=np.array([own.text for own in turns]),
    )
    write_atomically(path, held.getvalue())


def read_heard(path: Path) -> list[HeardTurn]:
    """Read such a file.

    Raises:
        DataError: if it is missing or is none.
    """
    where = printable(path)
    if not path.is_file():
        raise DataError("no such file", where=where, fix="Write it with recipes/dialogue/heard_turns.py.")
    try:
        with np.load(path, allow_pickle=False) as held:
            fields = {name: held[name] for name in _FIELDS}
        pieces = np.split(fields["samples"].astype(np.float32) / 32767, np.cumsum(fields["lengths"])[:-1])
        rows = zip(fields["ids"], fields["languages"], pieces, fields["finished"], fields["texts"], strict=True)
        return [HeardTurn(str(name), str(code), piece, bool(done), str(text)) for name, code, piece, done, text in rows]
    except (ValueError, KeyError, OSError) as error:
        raise DataError(f"it holds no turns: {error}", where=where) from error
