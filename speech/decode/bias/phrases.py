"""Contextual biasing: phrases, such as names, that are preferred where the audio is ambiguous.

Shallow fusion with a phrase list (Zhao et al. 2019, "Shallow-fusion end-to-end contextual biasing"): each matched
letter of a phrase adds its boost at once, and a failed match subtracts all of it again. Phrases are matched by
letters instead of pieces (Aho and Corasick 1975), since the model may split a rare name differently from the
tokenizer; every segmentation of a phrase scores the same. Case and punctuation are ignored.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speech.decode.lm.lexicon import WordHash
from speech.decode.lm.ngram import place_of
from speech.errors import ConfigError
from speech.text.languages import LANGUAGES
from speech.text.lines import read_lines
from speech.text.normalize import plain_text
from speech.text.scripts import script, scripts_of
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import WORD_START, Vocabulary

BOOST = 1.0
"""Default boost of a phrase."""
MOST_BOOST = 1000.0
"""Maximum boost, so that score sums stay finite."""
_OWN_TABLES = 6
_OBJECT_BYTES, _WORD_BYTES = 2048, 100  # of an empty `Phrases`; of a hash in a set
_NO_LETTER = "\0"
"""Stands for `<unk>`; occurs in no phrase."""


class Phrase(NamedTuple):
    """A phrase with its boost."""

    text: str
    boost: float = BOOST
    """Score per letter, spaces included, in nats."""

    @classmethod
    def parse(cls, text: str) -> Phrase:
        """ "new york" or, with a boost, "new york^2".

        Raises:
            ConfigError: if what follows "^" is no number.
        """
        words, mark, boost = text.rpartition("^")
        if not mark:
            return cls(text)
        try:
            return cls(words, float(boost))
        except ValueError as error:
            raise ConfigError(f"{boost!r} behind ^, expected a number", where=repr(text)) from error

    def __str__(self) -> str:
        """The inverse of `parse`."""
        return f"{self.text}^{self.boost:g}"


def read_phrases(given: Iterable[str]) -> tuple[Phrase, ...]:
    """Parse user input to distinct phrases; "@FILE" stands for the lines of a file.

    Raises:
        FileError: if a file cannot be read, or is not UTF-8.
        ConfigError: if a boost is not a number.
    """
    lines: list[str] = []
    for text in given:
        if not text.startswith("@"):
            lines.append(text)
            continue
        lines += read_lines(Path(text[1:]))
    return tuple(dict.fromkeys(Phrase.parse(line) for line in lines if line.strip()))


def canonical(phrases: Iterable[Phrase]) -> tuple[Phrase, ...]:
    """Deduplicate and sort phrases, so that equivalent lists are equal."""
    return tuple(sorted(set(phrases)))


def spelled(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Token ids of a word or phrase in the model's spelling, without case and punctuation.

    Raises:
        ConfigError: if no letters or digits are left, or the model cannot write a character.
    """
    plain, unk = plain_text(text), tokenizer.vocabulary.unk
    ids = tuple(tokenizer.encode(plain))
    if not ids:
        raise ConfigError("has no letters or digits", where=repr(text), fix="Leave it out.")
    if unk in ids:
        unknown = [character for character in sorted(set(plain) - {" "}) if unk in tokenizer.encode(character)]
        raise ConfigError(f"has characters that the model does not write: {unknown}", where=repr(text))
    return ids


class Phrases:
    """Scores a text for the phrases in it, token by token.

    A phrase matches as whole words; a side whose script uses no spaces may be adjacent to other letters. Every
    occurrence earns its boost. Of phrases that end at the same letter, only the best one counts, and a phrase that
    starts with another one adds only the difference.

    Args:
        tokenizer: tokenizer of the scored tokens.
        phrases: phrases to bias towards.
        strict: raise for a phrase that the model cannot write; otherwise it is skipped.

    Raises:
        ConfigError: if a boost is not above 0 and at most `MOST_BOOST`, or if `strict` and a phrase is empty or
            cannot be written by the model.

    Attributes:
        words: hashes of the phrases' words (see `lexicon.WordHash`), which count as words even if a lexicon lacks
            them.
        tables: arrays for compiled code; see `beam_kernels.advance`.
        left_out: error of the first phrase skipped; None if there is none.
    """

    def __init__(self, tokenizer: Tokenizer, phrases: Iterable[Phrase], *, strict: bool = True) -> None:
        self._letters = letters_of(tokenizer.vocabulary)
        self.left_out: ConfigError | None = None
        trie, words = _Trie(), set[int]()
        for text, boost in phrases:
            if not 0 < boost <= MOST_BOOST:
                raise ConfigError(f"boost of {boost}, expected a number above 0, up to {MOST_BOOST}", where=repr(text))
            try:
                ids = spelled(tokenizer, text)
            except ConfigError as error:
                if strict:
                    raise
                self.left_out = self.left_out or ConfigError(error.what, where=error.where, fix=error.fix)
                continue
            trie.add("".join(self._letters[token] for token in ids).strip(WORD_START), boost)
            words.update(WordHash().then(word).whole for word in plain_text(text).split())
        trie.link()
        self.words = frozenset(words)
        # Only the arrays of the trie are kept: its objects take twenty times as much memory.
        self.tables = (*_tables(self._letters), *trie.tables())
        own: list[memoryview[Any]] = [memoryview(table) for table in self.tables[-_OWN_TABLES:]]
        self._edges, self._targets, self._last, self._shorter, self._earned, self._hope = own
        self.start = trie.start
        """State before a text, which is also a word start."""

    def __bool__(self) -> bool:
        """Whether there are any phrases."""
        return bool(self._edges)

    @property
    def nbytes(self) -> int:
        """Approximate memory of the object in bytes."""
        return _OBJECT_BYTES + sum(table.nbytes for table in self.tables[-_OWN_TABLES:]) + _WORD_BYTES * len(self.words)

    def score(self, place: int, token: int) -> tuple[int, float]:
        """The state after `token`, and its score; negative if it breaks off a partial match."""
        return self._advance(place, self._letters[token])

    def finish(self, place: int) -> float:
        """Score of the end of the text: a phrase may end here, and a partial match loses its score."""
        place, gain = self._advance(place, WORD_START)
        return gain - self._hope[place]

    def _advance(self, place: int, letters: str) -> tuple[int, float]:
        """The state after more letters, and their score."""
        before, earned, start = place, 0.0, ord(WORD_START)
        for code in map(ord, letters):
            if code == start == self._last[place]:
                continue  # repeated word starts count once
            found = place_of(self._edges, place << 32 | code)
            while place and found < 0:
                place = self._shorter[place]
                found = place_of(self._edges, place << 32 | code)
            place = self._targets[found] if found >= 0 else 0
            earned += self._earned[place]
        return place, earned + (self._hope[place] - self._hope[before])


@lru_cache(maxsize=4)
def letters_of(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Letters of each token, with `WORD_START` between words; phrases are matched on these."""
    letters = [""] * vocabulary.piece_start
    letters[vocabulary.unk] = _NO_LETTER
    pieces, added = (["".join(map(_plain, p)) for p in some] for some in (vocabulary.pieces, vocabulary.added))
    return (*letters, *pieces, *[""] * (len(vocabulary) - len(letters) - len(pieces) - len(added)), *added)


@cache
def _plain(character: str) -> str:
    if character == WORD_START or unicodedata.category(character)[0] == "M":
        return character
    return plain_text(f"a{character}a")[1:-1].replace(" ", WORD_START)


@lru_cache(maxsize=4)
def _tables(letters: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of each token's letters, and their code points."""
    begins = np.array([0, *accumulate(map(len, letters))], np.int64)
    return begins, np.array([ord(letter) for letter in "".join(letters)], np.int64)


class _Trie:
    """Aho-Corasick automaton of the phrases' letters, with `WORD_START` where a word must begin or end.

    All lists are indexed by node; node 0 is the root.
    """

    def __init__(self) -> None:
        self.hope = [0.0]
        """Provisional score of a partial match."""
        self._children: list[dict[str, int]] = [{}]
        self._letters = [""]
        self._worth = [0.0]
        """Score of the phrase that ends here; 0 if none does."""
        self._earned = [0.0]
        """Permanent score earned on arrival at this node."""
        self._shorter = [0]
        """Failure link: the longest proper suffix of this node's text that starts a phrase."""

    @property
    def start(self) -> int:
        """The node at a word start."""
        return self._children[0].get(WORD_START, 0)

    def add(self, phrase: str, boost: float) -> None:
        """Add a phrase, with `WORD_START` only between its words."""
        before, after = (WORD_START if spaced(letter) else "" for letter in (phrase[0], phrase[-1]))
        node = 0
        for place, letter in enumerate(before + phrase + after, start=1 - len(before)):
            node = self._child(node, letter)
            self.hope[node] = max(self.hope[node], boost * min(place, len(phrase)))
        self._worth[node] = max(self._worth[node], boost * len(phrase))

    def link(self) -> None:
        """Compute failure links and scores; call once, after all phrases are added."""
        nodes = deque((child, 0, 0.0) for child in self._children[0].values())
        while nodes:  # shorter texts first
            node, shorter, had = nodes.popleft()
            has = max(had, self._worth[node])  # best score of this text and the phrases that it starts with
            self._shorter[node] = shorter
            self._earned[node] = max(has - had, self._earned[shorter])
            self.hope[node] = max(0.0, self.hope[node] - has)
            nodes.extend((child, self._next(shorter, c), has) for c, child in self._children[node].items())

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

    def tables(self) -> tuple[np.ndarray, ...]:
        """Arrays: sorted edges `node << 32 | letter`, edge targets; per node last letter, failure link, earned,
        hope."""
        edges = sorted(
            (node << 32 | ord(letter), child)
            for node, children in enumerate(self._children)
            for letter, child in children.items()
        )
        last = [ord(letter) if letter else 0 for letter in self._letters]
        return (
            np.array([key for key, _ in edges], np.uint64), np.array([child for _, child in edges], np.int64),
            np.array(last, np.int64), np.array(self._shorter, np.int64),
            np.array(self._earned), np.array(self.hope),
        )  # fmt: skip


@cache
def _unspaced() -> frozenset[str]:
    """Scripts of languages written without spaces between words."""
    return frozenset[str]().union(*(scripts_of(code) for code, row in LANGUAGES.items() if not row.spaces))


def spaced(letter: str) -> bool:
    """Whether a letter's script uses spaces between words."""
    return script(letter) not in _unspaced()
