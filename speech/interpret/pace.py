"""How fast a translation is said: as fast as the speaker speaks, and faster where our voice has fallen behind.

The rate of the speaker is what the expressive systems of Seamless carry over (Barrault et al. 2023, arXiv 2312.05187).
It is measured in letters a second without pauses, against what is usual in the language, so that languages with long
words are not taken for fast speakers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from speech.interpret.settings import InterpretSettings
from speech.transcript import Word

USUAL_LETTERS_PER_S = {
    "eng": 12.5, "fra": 13.8, "spa": 12.0, "deu": 15.0, "ita": 15.0, "rus": 12.6, "ron": 10.6, "bul": 13.8, "ell": 12.2,
    "bel": 10.5, "lad": 9.2,
}  # fmt: skip
"""Usual rates, by ISO 639-3 code: medians of recordings of the corpus (`benchmarks/letter_rates.py`)."""
PAUSE_S = 0.3
"""A longer gap between two words is a pause."""
_SLOWEST, _FASTEST = 0.75, 1.3
"""Range of the rate that is carried over."""
_REMEMBERED = 120.0
"""Letters of a usual speaker that are remembered: a few sentences."""
_PRIOR_LETTERS = 40.0
"""A speaker is taken for a usual one with the weight of so many letters."""


@dataclass(frozen=True, slots=True)
class Articulation:
    """Letters, and the seconds in which they were said, pauses left out."""

    letters: float = 0.0
    seconds: float = 0.0


def articulation(words: Sequence[Word]) -> Articulation:
    """Letters and time of words in order, such as those of a transcript."""
    if not words:
        return Articulation()
    pauses_s = sum(gap for a, b in pairwise(words) if (gap := b.start_s - a.end_s) > PAUSE_S)
    letters = sum(letter.isalnum() for word in words for letter in word.text)
    return Articulation(letters, max(words[-1].end_s - words[0].start_s - pauses_s, 0.0))


class SpeakerPace:
    """How fast the speaker speaks, as far as is known.

    Attributes:
        relative: the rate relative to a usual speaker of the language, .75 to 1.3.
    """

    def __init__(self) -> None:
        self._earlier = 0.0, 0.0
        """Letters of earlier segments, and how many a usual speaker says in the same time."""
        self._current = 0.0, 0.0

    def hear(self, words: Sequence[Word], language: str | None, *, is_final: bool) -> None:
        """Take the words so far of a segment; those of a language whose usual rate is not known say nothing.

        Args:
            words: all of them.
            language: ISO 639-3 code of the segment; None: not known.
            is_final: whether the segment is complete.
        """
        usual = USUAL_LETTERS_PER_S.get(language or "")
        said = articulation(words)
        self._current = (said.letters, usual * said.seconds) if usual and said.seconds else (0.0, 0.0)
        if is_final:
            before, now = self._earlier, self._current
            self._earlier = _most(before[0] + now[0], before[1] + now[1])
            self._current = 0.0, 0.0

    @property
    def relative(self) -> float:
        letters = self._earlier[0] + self._current[0] + _PRIOR_LETTERS
        usual = self._earlier[1] + self._current[1] + _PRIOR_LETTERS
        return min(max(letters / usual, _SLOWEST), _FASTEST)


def catch_up(behind_s: float, settings: InterpretSettings) -> float:
    """How much faster our voice speaks because it is behind: 1 up to `easy_s`, the most from `late_s` on.

    Args:
        behind_s: seconds between a text and the time at which it will be heard.
        settings: how it catches up.
    """
    share = (behind_s - settings.easy_s) / (settings.late_s - settings.easy_s)
    return 1.0 + (settings.fastest - 1.0) * min(max(share, 0.0), 1.0)


def carried_pause(pause_s: float, spare_s: float, settings: InterpretSettings) -> float:
    """How long our voice is silent where the speaker was.

    Args:
        pause_s: how long the speaker was.
        spare_s: by how much what follows may begin later without a larger lag than that of what was said before.
        settings: how long it may be at most.
    """
    return max(min(pause_s, spare_s, settings.longest_pause_s), 0.0) if pause_s > PAUSE_S else 0.0


def _most(letters: float, usual: float) -> tuple[float, float]:
    """What is remembered: the last few sentences of a speaker who may change."""
    scale = min(1.0, _REMEMBERED / usual) if usual else 1.0
    return letters * scale, usual * scale
