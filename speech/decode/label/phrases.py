"""Phrase biasing for a label decoder: scores texts of byte-level BPE tokens for their phrases, token by token.

Shallow fusion with a trie over tokens (Zhao et al. 2019; Le et al. 2021). A partial match has a provisional score
for its letters, so that it stays in the beam; the score is permanent once the phrase ends as whole words.
Provisional scores are never accumulated: a text's score is that of its completed phrases plus that of its best
partial match. A failed match therefore loses exactly what it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from speech.decode.bias.phrases import Phrase, spaced
from speech.text.normalize import plain_text


class PhraseState(NamedTuple):
    """Phrase-matching state of a text."""

    earned: float = 0.0
    """Score of completed phrases."""
    active: tuple[tuple[int, float], ...] = ()
    """Partial matches: node, and score already earned by shorter phrases on its path."""
    rests: bool = True
    """Whether a word may begin here without a space."""


@dataclass(slots=True)
class _Node:
    children: dict[int, int] = field(default_factory=dict)
    lends: float = 0.0
    """Provisional score for the letters so far."""
    worth: float = 0.0
    """Score of the phrase that ends here; 0 if none does."""
    touches: bool = False
    """Whether letters may follow the phrase: its script uses no spaces."""


@dataclass(frozen=True, slots=True)
class TokenBytes:
    """Text tokens as bytes."""

    data: Sequence[bytes]
    """Bytes of each token."""
    begins: np.ndarray
    """Whether each token begins with a letter, so that it may continue a word; `(tokens,)` bool."""
    ends: np.ndarray
    """Whether each token ends with a letter; `(tokens,)` bool."""

    @classmethod
    def of(cls, data: Sequence[bytes]) -> TokenBytes:
        """Create from the bytes of all tokens."""
        begins, ends = (np.array([_letter(piece, place) for piece in data], bool) for place in (0, -1))
        return cls(data, begins, ends)


class LabelPhrases:
    """Scores texts for their phrases; see the module docstring.

    Args:
        phrases: with boosts per letter, in nats; for duplicates the higher boost counts.
        encode: encodes text as the decoder writes it; a word starts with a space.
        pieces: text tokens.
        end: end token, which follows the text tokens.
    """

    def __init__(
        self,
        phrases: Iterable[Phrase],
        encode: Callable[[str], Sequence[int]],
        pieces: TokenBytes,
        end: int,
    ) -> None:
        self._end = end
        self._pieces = pieces
        self._nodes = [_Node(), _Node()]  # roots: after a space or anywhere; before a word without a space
        for text, boost in phrases:
            plain = plain_text(text)
            if plain:
                self._add(text, plain, boost, encode)
        self._lent = [self._begun(root) for root in (0, 1)]
        self.start = PhraseState()
        """State before a text."""

    def __bool__(self) -> bool:
        """Whether there are any phrases."""
        return any(self._nodes[root].children for root in (0, 1))

    def advance(self, state: PhraseState, token: int) -> PhraseState:
        """The state after one more token."""
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
        """Score of a text in a state, permanent and provisional."""
        return state.earned + max((self._owed(node, paid) for node, paid in state.active), default=0.0)

    def totals(self, state: PhraseState, vocabulary: int) -> np.ndarray:
        """`total` after each possible next token, `(vocabulary,)` float64: text tokens and the end."""
        rest, more = (state.earned + self._completed(state, letter=letter) for letter in (False, True))
        lent = np.maximum(*self._lent) if state.rests else self._lent[0]
        found = np.full(vocabulary, rest)
        found[: len(lent)] = np.where(self._pieces.begins, more, rest) + lent
        for token in {token for node, _ in state.active for token in self._nodes[node].children}:
            found[token] = self.total(self.advance(state, token))
        return found

    def of(self, tokens: Sequence[int]) -> float:
        """Permanent score of a complete text."""
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
        """Provisional score of each token as the first of a phrase."""
        lent = np.zeros(len(self._pieces.data))
        for token, child in self._nodes[root].children.items():
            lent[token] = self._owed(child, 0.0)
        return lent

    def _owed(self, node: int, paid: float) -> float:
        return max(self._nodes[node].lends - paid, 0.0)

    def _completed(self, state: PhraseState, *, letter: bool) -> float:
        """Score of the best phrase that ends here, depending on whether a letter follows."""
        ends = [(self._nodes[node], paid) for node, paid in state.active]
        return max((max(n.worth - paid, 0.0) for n, paid in ends if self._ends(n, letter)), default=0.0)

    @staticmethod
    def _ends(node: _Node, letter: bool) -> bool:
        return node.worth > 0 and (node.touches or not letter)


class PhraseScorer:
    """Phrase scores in one search, cached by token prefix.

    Args:
        phrases: phrases to bias towards.
        scale: factor of their scores.
    """

    def __init__(self, phrases: LabelPhrases, scale: float = 1.0) -> None:
        self._phrases, self._scale = phrases, scale
        self._states: dict[tuple[int, ...], PhraseState] = {(): phrases.start}

    def totals(self, tokens: tuple[int, ...], vocabulary: int) -> np.ndarray:
        """Score of `tokens` extended by each token, `(vocabulary,)`."""
        if tokens not in self._states:
            self._states[tokens] = self._phrases.advance(self._states[tokens[:-1]], tokens[-1])
        return self._scale * self._phrases.totals(self._states[tokens], vocabulary)

    def of(self, tokens: tuple[int, ...]) -> float:
        """Score of a complete text."""
        return self._scale * self._phrases.of(tokens)


def _letter(piece: bytes, place: int) -> bool:
    """Whether a token begins (0) or ends (-1) with a letter; bytes of incomplete characters count as letters."""
    text = piece.decode("utf-8", "replace")
    character = text[place] if text else " "
    return character == "\ufffd" or character.isalnum()
