"""Byte-pair encoding by ranks, and the files that ranks are read from."""

import base64

import pytest

from speech.errors import ModelError
from speech.text.tokenizers.ranked_bpe import RankedBpe, read_ranks

BYTES = [bytes([n]) for n in range(256)]


def lines(tokens):
    return b"".join(b"%s %d\n" % (base64.b64encode(token), n) for n, token in enumerate(tokens))


def encoder(*merged, pattern=r"\S+|\s+"):
    return RankedBpe({token: n for n, token in enumerate([*BYTES, *merged])}, pattern)


def test_ranks_are_read_in_any_order_of_lines():
    data = b"\n".join(reversed(lines([*BYTES, b"ab"]).splitlines())) + b"\n\n"
    assert read_ranks(data, "x") == {token: n for n, token in enumerate([*BYTES, b"ab"])}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"YQ== 0\nYg== x\n", "line 2 is no token and rank"),
        (b"YQ== 0 1\n", "line 1 is"),
        (b"Y 0\n", "line 1 is"),
        (lines(BYTES) + b"YWI= 300\n", "257 tokens whose ranks are not 0 to 256"),
        (lines(BYTES[:100]), "no token of byte 0x64"),
        (b"", "no token of byte 0x00"),
    ],
)
def test_damaged_files_are_refused(data, message):
    with pytest.raises(ModelError, match=message) as error:
        read_ranks(data, "tokenizer.tiktoken")
    assert str(error.value).startswith("tokenizer.tiktoken: ")


def test_the_pair_of_least_rank_is_merged_first():
    assert encoder(b"bc", b"ab", b"abc").encode("abc") == [258]
    assert encoder(b"bc", b"ab").encode("abc") == [97, 256]
    assert encoder(b"ab", b"bc").encode("abc") == [256, 99]
    assert encoder(b"aa").encode("aaa") == [256, 97]
    assert encoder(b"aa", b"aaaa").encode("aaaaa") == [257, 97]


def test_stretches_are_encoded_apart_and_whole_ones_first():
    assert encoder(b"a b", b"ab").encode("ab ab") == [257, 32, 257]
    assert encoder(b"xyz").encode("xyz") == [256]  # though no pair of it can be merged
    assert encoder().encode("é") == [0xC3, 0xA9]
    assert encoder().encode("") == []
