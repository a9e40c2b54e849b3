"""Tokens added by adapters: the extended vocabulary while such adapters are active, and permanent token ids.

Within a part, adapter tokens follow the base tokens. In all results each adapter token has a permanent id of its
own, so results stay readable after the adapter bank changes.
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
"""Maximum cached extensions; there is one per set of adapters in use, that is, of languages that may be spoken."""


@dataclass(frozen=True, eq=False, slots=True)
class Extension:
    """Tokens that a set of adapters adds to the vocabulary."""

    tokenizer: Tokenizer
    """Base tokens followed by the adapter tokens."""
    ids: tuple[int, ...]
    """Permanent ids of the adapter tokens; see the module docstring."""
    rows: Tensor
    """Head weights `(n, dim)`."""
    bias: Tensor
    """Head biases `(n,)`."""

    def head(self, base: CTCHead) -> ExtendedHead:
        """The base's CTC head extended to all tokens of the tokenizer."""
        return ExtendedHead(base, self.rows, self.bias)

    def forbidden(self, base: Collection[int], languages: Sequence[str]) -> frozenset[int]:
        """`base` plus the added tokens whose script is used by none of `languages`; empty `languages`: all are
        allowed."""
        vocabulary = self.tokenizer.vocabulary
        own = range(len(vocabulary) - len(self.ids), len(vocabulary))
        return frozenset(base).union(
            token for token in own if languages and not written_in(vocabulary.tokens[token], languages)
        )

    def kept(self, token: int) -> int:
        """Permanent id of a token id of the tokenizer."""
        place = token - (len(self.tokenizer.vocabulary) - len(self.ids))
        return token if place < 0 else self.ids[place]

    def said(self, spans: Sequence[TokenSpan]) -> list[TokenSpan]:
        """Spans with permanent token ids."""
        return [replace(span, id=self.kept(span.id)) for span in spans]


class AdapterTokens:
    """Registry of the tokens of all adapters seen so far; thread-safe.

    Args:
        tokenizer: the base tokenizer.

    Attributes:
        tokenizer: base tokens plus all adapter tokens seen so far, by permanent id.
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
        """Give each new token of these adapters a permanent id."""
        with self._lock:
            self._learn(bank)

    def at_work(self, bank: AdapterBank | None, wanted: Mapping[str, float]) -> Extension | None:
        """The extension for the adapters with nonzero weight in `wanted`; None if they add no tokens."""
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
