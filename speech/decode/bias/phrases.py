"""Phrases that a text may well hold, such as names, to be preferred where the audio leaves a choice.

Shallow fusion with a phrase list (Zhao et al. 2019, "Shallow-fusion end-to-end contextual biasing"): each letter of a
phrase adds its boost as soon as it is matched, and a match that fails gives all of it back. Phrases are matched letter
by letter and not piece by piece (Aho and Corasick 1975), because the model may split a rare name otherwise than the
tokenizer does; so every spelling of a phrase in pieces earns the same. Case and punctuation make no difference.
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
"""Of a phrase that comes without one."""
MOST_BOOST = 1000.0
"""Sums of what phrases earn stay numbers."""
_OWN_TABLES = 6
_OBJECT_BYTES, _WORD_BYTES = 2048, 100  # of a `Phrases` with nothing in it; of a hash in a set
_NO_LETTER = "\0"
"""Stands for `<unk>`; no phrase holds it."""


class Phrase(NamedTuple):
    """What may well be said."""

    text: str
    boost: float = BOOST
    """For each letter, spaces among them, in nats."""

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
        """What `parse` reads."""
        return f"{self.text}^{self.boost:g}"


def read_phrases(given: Iterable[str]) -> tuple[Phrase, ...]:
    """Phrases as users give them, each once; "@FILE" stands for the lines of a file.

    Raises:
        FileError: if a file cannot be read, or is not UTF-8.
        ConfigError: if a boost is no number.
    """
    lines: list[str] = []
    for text in given:
        if not text.startswith("@"):
            lines.append(text)
            continue
        lines += read_lines(Path(text[1:]))
    return tuple(dict.fromkeys(Phrase.parse(line) for line in lines if line.strip()))


def canonical(phrases: Iterable[Phrase]) -> tuple[Phrase, ...]:
    """Each once, in one order: equal for lists that mean the same."""
    return tuple(sorted(set(phrases)))


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


class Phrases:
    """Counts what a text earns for the phrases in it, token by token.

    A phrase counts where it stands as whole words; a side of it that is written in a script without spaces may touch
    other letters. Every occurrence earns its boost; of several phrases that end at the same letter, the one that earns
    most, and a phrase that begins with another one adds only what it is worth more.

    Args:
        tokenizer: whose tokens are scored.
        phrases: to prefer.
        strict: refuse a phrase that the model cannot write; otherwise it is left out.

    Raises:
        ConfigError: if a boost is not a number above 0 and up to `MOST_BOOST`, a phrase is empty, or the model cannot
            write it and `strict`.

    Attributes:
        words: hashes of the phrases' words (see `lexicon.WordHash`), which are words whatever a lexicon has.
        tables: for compiled code; see `beam_kernels.advance`.
        left_out: why the first of the phrases was that could not be written, if there is one.
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
        # Of the trie only these are kept: its objects take twenty times as much memory.
        self.tables = (*_tables(self._letters), *trie.tables())
        own: list[memoryview[Any]] = [memoryview(table) for table in self.tables[-_OWN_TABLES:]]
        self._edges, self._targets, self._last, self._shorter, self._earned, self._hope = own
        self.start = trie.start
        """The place before a text, which is one before a word."""

    def __bool__(self) -> bool:
        """Whether there is anything to prefer."""
        return bool(self._edges)

    @property
    def nbytes(self) -> int:
        """Memory that is its own, about."""
        return _OBJECT_BYTES + sum(table.nbytes for table in self.tables[-_OWN_TABLES:]) + _WORD_BYTES * len(self.words)

    def score(self, place: int, token: int) -> tuple[int, float]:
        """The place after `token`, and what it adds; less than 0 where it ends the hope for a phrase."""
        return self._advance(place, self._letters[token])

    def finish(self, place: int) -> float:
        """What the end of the text adds: a phrase may end here, and one that has only begun gives back."""
        place, gain = self._advance(place, WORD_START)
        return gain - self._hope[place]

    def _advance(self, place: int, letters: str) -> tuple[int, float]:
        """The place after more letters, and what they add."""
        before, earned, start = place, 0.0, ord(WORD_START)
        for code in map(ord, letters):
            if code == start == self._last[place]:
                continue  # two word starts are one
            found = place_of(self._edges, place << 32 | code)
            while place and found < 0:
                place = self._shorter[place]
                found = place_of(self._edges, place << 32 | code)
            place = self._targets[found] if found >= 0 else 0
            earned += self._earned[place]
        return place, earned + (self._hope[place] - self._hope[before])


@lru_cache(maxsize=4)
def letters_of(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Letters of each token, with `WORD_START` between words, in which phrases are matched."""
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
    """Where the letters of each token begin, and their code points."""
    begins = np.array([0, *accumulate(map(len, letters))], np.int64)
    return begins, np.array([ord(letter) for letter in "".join(letters)], np.int64)


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
        before, after = (WORD_START if spaced(letter) else "" for letter in (phrase[0], phrase[-1]))
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
        """Edges as sorted `node << 32 | letter` and where they lead; last letter, shorter, earned, hope of nodes."""
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
    """Scripts of the languages that write no spaces between words."""
    return frozenset[str]().union(*(scripts_of(code) for code, row in LANGUAGES.items() if not row.spaces))


def spaced(letter: str) -> bool:
    """Whether a script is written with spaces between words."""
    return script(letter) not in _unspaced()
