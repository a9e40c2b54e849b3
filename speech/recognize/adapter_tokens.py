"""Tokens that adapters bring along: what writes them where such an adapter is at work, and the ids that they keep.

Within a part they stand behind the base's tokens. In all that is handed on each has an id of its own, which is given
once and for good: what was said under one bank can be read under the next.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from speech.decode.ctc.greedy import TokenSpan
from speech.nn.adapters import AdapterBank
from speech.nn.ctc import CTCHead, ExtendedHead
from speech.text.scripts import written_in
from speech.text.tokenizers.sentencepiece import Tokenizer

_MOST_EXTENSIONS = 256
"""Sets of adapters whose tokens are kept together; there are as many as sets of languages that may be spoken."""


@dataclass(frozen=True, eq=False, slots=True)
class Extension:
    """What some adapters add to what can be written."""

    tokenizer: Tokenizer
    """Of the base's tokens and, behind them, those of the adapters."""
    ids: tuple[int, ...]
    """That the latter keep; see the module's docstring."""
    rows: Tensor
    """(n, dim) of the head."""
    bias: Tensor
    """(n,)"""

    def head(self, base: CTCHead) -> ExtendedHead:
        """Scores of all tokens of the tokenizer, given the base's head."""
        return ExtendedHead(base, self.rows, self.bias)

    def forbidden(self, base: Collection[int], languages: Sequence[str]) -> frozenset[int]:
        """`base`, and those of these tokens that no language of `languages` is written with; none: any may be."""
        vocabulary = self.tokenizer.vocabulary
        own = range(len(vocabulary) - len(self.ids), len(vocabulary))
        return frozenset(base).union(
            token for token in own if languages and not written_in(vocabulary.tokens[token], languages)
        )

    def kept(self, token: int) -> int:
        """The id that a token keeps, of the one that the tokenizer gives it."""
        place = token - (len(self.tokenizer.vocabulary) - len(self.ids))
        return token if place < 0 else self.ids[place]

    def said(self, spans: Sequence[TokenSpan]) -> list[TokenSpan]:
        """Spans with the ids that tokens keep."""
        return [replace(span, id=self.kept(span.id)) for span in spans]


class AdapterTokens:
    """Those of all adapters that there have ever been; used by several threads.

    Args:
        tokenizer: of the base.

    Attributes:
        tokenizer: of the base's tokens and all that have come since, by the ids that they keep.
        codes: languages that have ever had an adapter.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.codes: frozenset[str] = frozenset()
        self._base = tokenizer
        self._ids: dict[tuple[str, str], int] = {}
        self._known: AdapterBank | None = None
        self._extensions: dict[tuple[str, ...], Extension] = {}
        self._lock = threading.Lock()

    def learn(self, bank: AdapterBank) -> None:
        """Give each token of these adapters an id, unless it has one."""
        with self._lock:
            self._learn(bank)

    def at_work(self, bank: AdapterBank | None, wanted: Mapping[str, float]) -> Extension | None:
        """What is added where adapters work by these weights; None: nothing, and all is as without a bank."""
        if bank is None or not bank.tokens:
            return None
        codes = tuple(code for code in bank.tokens if wanted.get(code, 0.0) > 0)
        if not codes:
            return None
        with self._lock:
            self._learn(bank)
            if codes not in self._extensions:
                tokens = [(code, token) for code in codes for token in bank.tokens[code]]
                tokenizer = self._base.extended([token for _, token in tokens])
                ids = tuple(self._ids[pair] for pair in tokens)
                self._extensions[codes] = Extension(tokenizer, ids, *bank.rows(codes))
                if len(self._extensions) > _MOST_EXTENSIONS:
                    del self._extensions[next(iter(self._extensions))]
            return self._extensions[codes]

    def _learn(self, bank: AdapterBank) -> None:
        if bank is self._known:
            return
        first = len(self._base.vocabulary)
        for code, tokens in bank.tokens.items():
            for token in tokens:
                self._ids.setdefault((code, token), first + len(self._ids))
        if len(self._ids) > len(self.tokenizer.vocabulary) - first:
            self.tokenizer = self._base.extended([token for _, token in self._ids])
        self.codes |= set(bank.codes)
        self._known, self._extensions = bank, {}
