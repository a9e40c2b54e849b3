"""Examples of turns: texts as a recogniser writes them, complete or broken off where people think."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text
from speech.text.turn_features import final_mark
from speech.train.end_of_turn.cuts import cut_place, frequent_words
from speech.train.end_of_turn.turns import WrittenTurn


class TurnExample(NamedTuple):
    """A text and what is to be said of it."""

    language: str
    text: str
    finished: bool


_END = re.compile(r"[\W_]+\Z")
_INNER = re.compile(r"[,;:.!?…¡¿、。，？！]+(?=\s|\Z)|[¡¿]")
_ENDINGS = {
    True: (("own", 62), ("", 28), (".", 5), (",", 3), ("...", 2)),
    False: ((".", 45), ("", 30), (",", 10), ("...", 15)),
}
"""What recognisers write behind finished turns and behind others, and how often; `own` is the text's own mark."""
_ASKED = 0.25
"""Share of broken questions that are written with a question mark."""
_PLAIN = 0.2
"""Share of texts without any punctuation within."""
_FILLER, _SENTENCE_BEFORE = 0.12, 0.15
"""Shares of texts with a filled pause, and behind another sentence."""


class TurnMaker:
    """Makes an example of a text.

    Args:
        texts: all texts to draw companions from, and to count words in.
        fillers: what people say while they think, by language.
    """

    def __init__(self, texts: Sequence[WrittenTurn], fillers: Mapping[str, Sequence[str]]) -> None:
        self._frequent = frequent_words((own.language, own.text) for own in texts)
        self._fillers = fillers
        self._sentences: dict[str, list[str]] = defaultdict(list)
        for own in texts:
            if own.finished:
                self._sentences[own.language].append(own.text)

    def example(self, turn: WrittenTurn, rng: random.Random) -> TurnExample:
        """An example: a complete text is cut half of the time, if it has several words."""
        finished, text, asked = turn.finished, turn.text, final_mark(turn.text) == "?"
        if finished and rng.random() < 0.5:
            cut = self._cut(turn, rng)
            finished, text = cut is None, cut or text
        if rng.random() < _FILLER and turn.language in self._fillers:
            text, finished = self._filled(text, finished, turn.language, rng)
        text = written(text, finished, asked, rng)
        before = self._sentences.get(turn.language, ())
        if before and rng.random() < _SENTENCE_BEFORE:
            text = f"{rng.choice(before)} {text}"
        return TurnExample(turn.language, text, finished)

    def _cut(self, turn: WrittenTurn, rng: random.Random) -> str | None:
        """The beginning of a text; None if it is a single word."""
        spaces = LANGUAGES[turn.language].spaces
        units = turn.text.split() if spaces else list(turn.text)
        units = [unit for unit in units if plain_text(unit)] if spaces else units
        if len(units) < 2 or (not spaces and len(units) < 6):
            return None
        place = cut_place(units, self._frequent.get(turn.language, frozenset()), rng)
        kept = (" " if spaces else "").join(units[:place])
        return kept if plain_text(kept) else None

    def _filled(self, text: str, finished: bool, code: str, rng: random.Random) -> tuple[str, bool]:
        """With a filled pause before a text, or behind one that goes on."""
        filler = rng.choice(self._fillers[code])
        if finished or rng.random() < 0.3:
            return f"{filler}, {text}", finished
        return f"{_END.sub('', text)}{rng.choice((', ', ' '))}{filler}", False


def written(text: str, finished: bool, asked: bool, rng: random.Random) -> str:
    """A text with an end as recognisers write it.

    Args:
        text: with its own punctuation.
        finished: whether it is a complete turn.
        asked: whether it is, or begins, a question.
        rng: draws the end.
    """
    names, weights = zip(*_ENDINGS[finished], strict=True)
    ending = rng.choices(names, weights)[0]
    bare = _END.sub("", text)
    own = text[len(bare) :].strip() or "."
    if not finished and asked and rng.random() < _ASKED:
        ending = "?"
    if rng.random() < _PLAIN:
        bare = _INNER.sub("", bare)
    return bare + (own if ending == "own" else ending)
