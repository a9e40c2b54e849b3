"""Phrases for a label decoder: what a text of byte-level BPE tokens earns for those in it, token by token.

Shallow fusion with a trie over tokens (Zhao et al. 2019; Le et al. 2021): a phrase that has begun lends its boost for
the letters so far, so that it stays in the beam, and keeps it once the phrase has ended as whole words. What is lent is
never added to a sum: a text has what the phrases in it have earned, and at its end what the best one under way lends.
So a phrase that is left gives back all that it had, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from speech.decode.bias.phrases import Phrase, spaced
from speech.text.normalize import plain_text


class PhraseState(NamedTuple):
    """Where a text is among the phrases."""

    earned: float = 0.0
    """By phrases that have ended."""
    active: tuple[tuple[int, float], ...] = ()
    """Phrases under way: nodes, and what shorter phrases on the way to them have earned already."""
    rests: bool = True
    """Whether a word may begin without a space."""


@dataclass(slots=True)
class _Node:
    children: dict[int, int] = field(default_factory=dict)
    lends: float = 0.0
    """For the letters so far."""
    worth: float = 0.0
    """Of the phrase that ends here; 0 where none does."""
    touches: bool = False
    """Whether letters may follow that phrase: its script writes no spaces."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Tokens of text."""

    data: Sequence[bytes]
    """Their bytes, by token."""
    begins: np.ndarray
    """(tokens,) bool, whether one begins with a letter, which goes on with a word before it."""
    ends: np.ndarray
    """(tokens,) bool, whether one ends with a letter."""

    @classmethod
    def of(cls, data: Sequence[bytes]) -> Pieces:
        """Of bytes of all tokens."""
        begins, ends = (np.array([_letter(piece, place) for piece in data], bool) for place in (0, -1))
        return cls(data, begins, ends)


class LabelPhrases:
    """See the module's docstring.

    Args:
        phrases: with boosts for each letter, in nats; of one that is there twice the higher counts.
        encode: text to tokens, as the decoder writes it; a space begins a word.
        pieces: tokens of text.
        end: token of the end of a text, behind those.
    """

    def __init__(
        self,
        phrases: Iterable[Phrase],
        encode: Callable[[str], Sequence[int]],
        pieces: Pieces,
        end: int,
    ) -> None:
        self._end = end
        self._pieces = pieces
        self._nodes = [_Node(), _Node()]  # before what may begin anywhere, and before a word without a space in front
        for text, boost in phrases:
            plain = plain_text(text)
            if plain:
                self._add(text, plain, boost, encode)
        self._lent = [self._begun(root) for root in (0, 1)]
        self.start = PhraseState()
        """Before a text."""

    def __bool__(self) -> bool:
        """Whether there is anything to prefer."""
        return any(self._nodes[root].children for root in (0, 1))

    def advance(self, state: PhraseState, token: int) -> PhraseState:
        """The state behind one more token."""
        if token == self._end:
            return PhraseState(state.earned + self._completed(state, letter=False), (), state.rests)
        letter = bool(self._pieces.begins[token])
        earned = state.earned + self._completed(state, letter=letter)
        active: dict[int, float] = {}
        for number, paid in state.active:
            node = self._nodes[number]
            child = node.children.get(token)
            if child is not None:
                active[child] = max(paid, node.worth) if self._ends(node, letter) else paid
        for root in (0, 1) if state.rests else (0,):
            child = self._nodes[root].children.get(token)
            if child is not None:
                active.setdefault(child, 0.0)
        return PhraseState(earned, tuple(sorted(active.items())), not self._pieces.ends[token])

    def total(self, state: PhraseState) -> float:
        """What a text in a state has, earned or lent."""
        return state.earned + max((self._owed(node, paid) for node, paid in state.active), default=0.0)

    def totals(self, state: PhraseState, vocabulary: int) -> np.ndarray:
        """`total` behind each token that may follow, `(vocabulary,)` float64: those of text, and the end."""
        rest, more = (state.earned + self._completed(state, letter=letter) for letter in (False, True))
        lent = np.maximum(*self._lent) if state.rests else self._lent[0]
        found = np.full(vocabulary, rest)
        found[: len(lent)] = np.where(self._pieces.begins, more, rest) + lent
        for token in {token for node, _ in state.active for token in self._nodes[node].children}:
            found[token] = self.total(self.advance(state, token))
        return found

    def of(self, tokens: Sequence[int]) -> float:
        """What a whole text has earned."""
        state = self.start
        for token in (*tokens, self._end):
            state = self.advance(state, token)
        return state.earned

    def _add(self, text: str, plain: str, boost: float, encode: Callable[[str], Sequence[int]]) -> None:
        letters = len(plain)
        touches, anywhere = not spaced(plain[-1]), not spaced(plain[0])
        for form in dict.fromkeys((text.strip(), plain, plain[:1].upper() + plain[1:], plain.title(), plain.upper())):
            for root, shown in ((0, f" {form}"), (0 if anywhere else 1, form)):
                node, said = root, b""
                for token in encode(shown):
                    child = self._nodes[node].children.get(token)
                    if child is None:
                        child = self._nodes[node].children[token] = len(self._nodes)
                        self._nodes.append(_Node())
                    node, said = child, said + self._pieces.data[token]
                    so_far = min(len(plain_text(said.decode("utf-8", "ignore"))), letters)
                    self._nodes[node].lends = max(self._nodes[node].lends, boost * so_far)
                if node > 1:
                    ended = self._nodes[node]
                    ended.worth, ended.touches = max(ended.worth, boost * letters), ended.touches or touches

    def _begun(self, root: int) -> np.ndarray:
        """What each token lends as the first of a phrase."""
        lent = np.zeros(len(self._pieces.data))
        for token, child in self._nodes[root].children.items():
            lent[token] = self._owed(child, 0.0)
        return lent

    def _owed(self, node: int, paid: float) -> float:
        return max(self._nodes[node].lends - paid, 0.0)

    def _completed(self, state: PhraseState, *, letter: bool) -> float:
        """What the best of the phrases that end here earns where a letter follows, or none does."""
        ends = [(self._nodes[node], paid) for node, paid in state.active]
        return max((max(n.worth - paid, 0.0) for n, paid in ends if self._ends(n, letter)), default=0.0)

    @staticmethod
    def _ends(node: _Node, letter: bool) -> bool:
        return node.worth > 0 and (node.touches or not letter)


class Bias:
    """What phrases add in one search, whose texts grow token by token.

    Args:
        phrases: to prefer.
        scale: of their boosts.
    """

    def __init__(self, phrases: LabelPhrases, scale: float = 1.0) -> None:
        self._phrases, self._scale = phrases, scale
        self._states: dict[tuple[int, ...], PhraseState] = {(): phrases.start}

    def totals(self, tokens: tuple[int, ...], vocabulary: int) -> np.ndarray:
        """What a text of one more token than `tokens` has, of each token, `(vocabulary,)`."""
        if tokens not in self._states:
            self._states[tokens] = self._phrases.advance(self._states[tokens[:-1]], tokens[-1])
        return self._scale * self._phrases.totals(self._states[tokens], vocabulary)

    def of(self, tokens: tuple[int, ...]) -> float:
        """What a whole text has."""
        return self._scale * self._phrases.of(tokens)


def _letter(piece: bytes, place: int) -> bool:
    """Whether a token begins (0) or ends (-1) within a word: bytes of unfinished characters count as letters."""
    text = piece.decode("utf-8", "replace")
    character = text[place] if text else " "
    return character == "\ufffd" or character.isalnum()
