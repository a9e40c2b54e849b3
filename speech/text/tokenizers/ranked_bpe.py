"""Byte-pair encoding whose merges are ordered by the ranks of their results, as in files `*.tiktoken` (Sennrich et al.
2016, over bytes)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from speech.errors import ModelError


def read_ranks(data: bytes, where: str) -> dict[bytes, int]:
    """Tokens and their ids, from lines of a token in base64 and its rank.

    Args:
        data: content of the file.
        where: name of the file, for errors.

    Raises:
        ModelError: naming the line, or if there is no token of a byte, or ranks are no 0, 1, 2, ...
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise ModelError(f"line {number} is no token and rank: {line[:40]!r}", where=where) from error
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ModelError(f"{len(ranks)} tokens whose ranks are not 0 to {len(ranks) - 1}", where=where)
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ModelError(f"has no token of byte 0x{missing[0]:02x}", where=where)
    return ranks


class RankedBpe:
    """Text to token ids.

    Args:
        ranks: token -> id; those of merged pairs say which pair is merged first.
        pattern: regular expression of the stretches that are encoded apart; together they cover any text.
    """

    def __init__(self, ranks: Mapping[bytes, int], pattern: str) -> None:
        self._ranks = ranks
        self._split = Split(Regex(pattern), behavior="isolated")

    def encode(self, text: str) -> list[int]:
        """Ids of the tokens of a text."""
        return [token for piece, _ in self._split.pre_tokenize_str(text) for token in self._merged(piece.encode())]

    def _merged(self, piece: bytes) -> list[int]:
        """Ids of a stretch: the pair of least rank is merged, the first of several, until none has a rank."""
        if piece in self._ranks:
            return [self._ranks[piece]]
        parts = [piece[n : n + 1] for n in range(len(piece))]
        while True:
            pairs = [(self._ranks[parts[n] + parts[n + 1]], n) for n in range(len(parts) - 1)
                     if parts[n] + parts[n + 1] in self._ranks]  # fmt: skip
            if not pairs:
                return [self._ranks[part] for part in parts]
            place = min(pairs)[1]
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
