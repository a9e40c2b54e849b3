"""Phrases that a text may well hold, such as names: preferred where the audio leaves a choice.

Shallow fusion with a phrase list (Zhao et al. 2019, "Shallow-fusion end-to-end contextual biasing"): each letter of a
phrase adds its boost as soon as it is matched, and a match that fails gives all of it back. Phrases are matched letter
by letter and not piece by piece (Aho and Corasick 1975), because the model may split a rare name otherwise than the
tokenizer does; so every spelling of a phrase in pieces earns the same.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import Any

from speech.decode.prefix_beam import LanguageModel
from speech.decode.words import WORD_START
from speech.errors import ConfigError
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text
from speech.text.scripts import script, scripts_of
from speech.text.tokenizer import Tokenizer

_NO_LETTER = "\0"
"""Stands for `<unk>`; no phrase holds it."""


def spelled(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Token ids of a word or phrase, written as the model writes: without case and punctuation.

    Raises:
        ConfigError: if nothing is left of it, or it has characters that the model cannot write.
    """
    plain, unk = plain_text(text), tokenizer.vocabulary.unk
    ids = tuple(tokenizer.encode(plain))
    if not ids:
        raise ConfigError("has no letters or digits", where=repr(text), fix="Leave it out.")
    if unk in ids:
        unknown = [character for character in sorted(set(plain) - {" "}) if unk in tokenizer.encode(character)]
        raise ConfigError(f"has characters that the model does not write: {unknown}", where=repr(text))
    return ids


class Biasing:
    """Adds to the scores of texts that hold given phrases; a `prefix_beam.LanguageModel`, alone or around another.

    A phrase counts where it stands as whole words; a side of it that is written in a script without spaces may touch
    other letters. Every occurrence earns its boost; of several phrases that end at the same letter, the one that earns
    most, and a phrase that begins with another one adds only what it is worth more.

    Args:
        tokenizer: whose tokens are scored.
        phrases: text -> boost for each of its letters, spaces among them, in nats before the search's weight.
        scorer: language model whose scores are added to.

    Raises:
        ConfigError: if a boost is not a number above 0, or a phrase is empty or cannot be written by the model.
    """

    def __init__(
        self, tokenizer: Tokenizer, phrases: Mapping[str, float], scorer: LanguageModel[Any] | None = None
    ) -> None:
        self._tokenizer, self._scorer = tokenizer, scorer
        self._trie = _Trie()
        for phrase, boost in phrases.items():
            if not (math.isfinite(boost) and boost > 0):
                raise ConfigError(f"boost of {boost}, expected a number above 0", where=repr(phrase))
            self._trie.add("".join(map(tokenizer.piece, spelled(tokenizer, phrase))).strip(WORD_START), boost)
        self._trie.link()
        self._steps: dict[tuple[int, int], tuple[int, float]] = {}

    def start(self) -> tuple[Any, int]:
        """The state of the language model, and where in the phrases the text is: before a word."""
        return self._scorer.start() if self._scorer else None, self._trie.start

    def score(self, state: tuple[Any, int], token: int) -> tuple[tuple[Any, int], float]:
        """The state after `token`, and what it adds; less than 0 where it ends the hope for a phrase."""
        before, place = state
        following, score = self._scorer.score(before, token) if self._scorer else (None, 0.0)
        step = self._steps.get((place, token))
        if step is None:
            step = self._steps[place, token] = self._trie.advance(place, self._letters(token))
        return (following, step[0]), score + step[1]

    def finish(self, state: tuple[Any, int]) -> float:
        """What the end of the text adds: a phrase may end here, and one that has only begun gives back."""
        place, gain = self._trie.advance(state[1], WORD_START)
        return (self._scorer.finish(state[0]) if self._scorer else 0.0) + gain - self._trie.hope[place]

    def _letters(self, token: int) -> str:
        vocabulary = self._tokenizer.vocabulary
        if vocabulary.is_special(token):
            return _NO_LETTER if token == vocabulary.unk else ""
        return self._tokenizer.piece(token)


class _Trie:
    """Phrases by their letters, with `WORD_START` where a word must begin or end (Aho and Corasick 1975).

    All lists are by node; node 0 is the root.
    """

    def __init__(self) -> None:
        self.hope = [0.0]
        """What the letters of an unfinished phrase have added so far."""
        self._children: list[dict[str, int]] = [{}]
        self._letters = [""]
        self._worth = [0.0]
        """Of the phrase that ends here; 0 where none does."""
        self._earned = [0.0]
        """What stays, whatever follows, when the text arrives here."""
        self._shorter = [0]
        """The longest end of this node's text that a phrase begins with."""

    @property
    def start(self) -> int:
        """The node before a word."""
        return self._children[0].get(WORD_START, 0)

    def add(self, phrase: str, boost: float) -> None:
        """A phrase, with `WORD_START` between its words only."""
        before, after = (WORD_START if _spaced(letter) else "" for letter in (phrase[0], phrase[-1]))
        node = 0
        for place, letter in enumerate(before + phrase + after, start=1 - len(before)):
            node = self._child(node, letter)
            self.hope[node] = max(self.hope[node], boost * min(place, len(phrase)))
        self._worth[node] = max(self._worth[node], boost * len(phrase))

    def link(self) -> None:
        """To be called once, when all phrases are there."""
        nodes = deque((child, 0, 0.0) for child in self._children[0].values())
        while nodes:  # shorter texts first
            node, shorter, had = nodes.popleft()
            has = max(had, self._worth[node])  # of phrases that this one begins with, and itself
            self._shorter[node] = shorter
            self._earned[node] = max(has - had, self._earned[shorter])
            self.hope[node] = max(0.0, self.hope[node] - has)
            nodes.extend((child, self._next(shorter, c), has) for c, child in self._children[node].items())

    def advance(self, node: int, letters: str) -> tuple[int, float]:
        """The node after more letters, and what they add."""
        before, earned = node, 0.0
        for letter in letters:
            if letter == WORD_START == self._letters[node]:
                continue  # two word starts are one
            node = self._next(node, letter)
            earned += self._earned[node]
        return node, earned + (self.hope[node] - self.hope[before])

    def _next(self, node: int, letter: str) -> int:
        while node and letter not in self._children[node]:
            node = self._shorter[node]
        return self._children[node].get(letter, 0)

    def _child(self, node: int, letter: str) -> int:
        child = self._children[node].get(letter)
        if child is None:
            child = self._children[node][letter] = len(self._children)
            self._children.append({})
            self._letters.append(letter)
            for column in (self.hope, self._worth, self._earned):
                column.append(0.0)
            self._shorter.append(0)
        return child


@cache
def _unspaced() -> frozenset[str]:
    """Scripts of the languages that write no spaces between words."""
    return frozenset[str]().union(*(scripts_of(code) for code, row in LANGUAGES.items() if not row.spaces))


def _spaced(letter: str) -> bool:
    return script(letter) not in _unspaced()
