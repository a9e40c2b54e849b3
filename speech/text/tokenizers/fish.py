"""Tokenizers of Fish-Speech 1.4 and 1.5: texts, and the marks of a conversation around them, to token ids."""

from __future__ import annotations

import re
from typing import Protocol

import tokenizers

from speech.errors import ModelError, TextError
from speech.text.fish_text import FishVersion
from speech.text.speech_vocabulary import TokenLayout
from speech.text.tokenizers.ranked_bpe import RankedBpe, read_ranks

FILES = {FishVersion.one_five: "tokenizer.tiktoken", FishVersion.one_four: "tokenizer.json"}
"""Name of the file that each version has."""
_START, _END, _VOICE = "<|im_start|>", "<|im_end|>", "<|voice|>"
_SEMANTIC = "<|semantic|>"
_CODES = 1024
"""Tokens of frames in 1.5, one for each code of the first codebook."""
_PATTERN = "|".join(
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"\p{P}",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(\?!\S)",  # as published: it was meant to look ahead
        r"\s+",
    ]
)
"""What 1.5 encodes apart: contractions, punctuation, words, single digits, symbols, line ends, spaces."""
_MARKS = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|pad|>", _START, _END,
    *(f"<|placeholder:{n}|>" for n in range(4)), "<|text|>", _VOICE, "<|interleave|>",
    *(f"<|semantic:{n}|>" for n in range(_CODES)),
)  # fmt: skip
"""Tokens of 1.5 behind those of texts, in order."""
_MARK = re.compile(r"<\|[^|<>\s]+\|>")
_INSTRUCTION = "Speak out the provided text."


class FishTokenizer(Protocol):
    """Token ids of a conversation, in which the user gives texts and the assistant says them."""

    @property
    def version(self) -> FishVersion:
        """Generation of the model."""

    @property
    def data(self) -> bytes:
        """Content of the published file."""

    @property
    def layout(self) -> TokenLayout:
        """Where the tokens of frames and the end of a turn are."""

    @property
    def code_offset(self) -> int:
        """What the model's codes have more than the codec's."""

    @property
    def frame_token(self) -> int | None:
        """The token of all frames; None if there is one for each code of the first codebook."""

    def instruction(self) -> list[int]:
        """What stands before voices to imitate."""

    def asked(self, text: str) -> list[int]:
        """A user's turn with a cleaned text, and what opens the assistant's, whose frames follow.

        Raises:
            TextError: if the text has a mark of the model in it.
        """


class FishTokenizer14:
    """Tokenizer of Fish-Speech 1.4: a turn is encoded as a whole.

    Args:
        data: a `tokenizer.json` of Hugging Face's tokenizers.
        size: tokens of the model.
        where: name of the file, for errors.

    Raises:
        ModelError: if it is no tokenizer, lacks a mark, or has more tokens than the model.
    """

    version = FishVersion.one_four
    code_offset = 1
    """Code 0 stands for no frame."""

    def __init__(self, data: bytes, size: int, where: str) -> None:
        self.data = data
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
        except Exception as error:  # the library has no exception class of its own
            raise ModelError(f"is no tokenizer: {error}", where=where) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        marks = dict[str, int]()
        for name in (_START, _END, _SEMANTIC):
            token = self._tokenizer.token_to_id(name)
            if token is None:
                raise ModelError(f"has no token {name}", where=where, fix="Give that of a Fish-Speech 1.4.")
            marks[name] = token
        _check_size(self._tokenizer.get_vocab_size(), size, where)
        self.layout = TokenLayout(size, marks[_SEMANTIC], 1, marks[_END])
        self.frame_token = self.layout.first_frame

    def instruction(self) -> list[int]:
        """Nothing: 1.4 knows no instruction."""
        return []

    def asked(self, text: str) -> list[int]:
        """See `FishTokenizer`."""
        turn = f"{_START}user\n{_checked(text)}{_END}{_START}assistant\n"
        ids: list[int] = self._tokenizer.encode(turn, add_special_tokens=False).ids
        return ids


class FishTokenizer15:
    """Tokenizer of Fish-Speech 1.5: each part of a turn is encoded by itself.

    Args:
        data: a `tokenizer.tiktoken`.
        size: tokens of the model.
        where: name of the file, for errors.

    Raises:
        ModelError: if it is no file of ranks, or has more tokens than the model.
    """

    version = FishVersion.one_five
    code_offset = 0
    frame_token = None

    def __init__(self, data: bytes, size: int, where: str) -> None:
        self.data = data
        ranks = read_ranks(data, where)
        self._bpe, self._first = RankedBpe(ranks, _PATTERN), len(ranks)
        _check_size(self._first + len(_MARKS), size, where)
        self.layout = TokenLayout(size, self._mark("<|semantic:0|>"), _CODES, self._mark(_END))

    def instruction(self) -> list[int]:
        """The system's turn."""
        return [*self._opened("system"), *self._bpe.encode(_INSTRUCTION), self.layout.end]

    def asked(self, text: str) -> list[int]:
        """See `FishTokenizer`."""
        said = [*self._opened("user"), *self._bpe.encode(_checked(text)), self.layout.end]
        return [*said, *self._opened("assistant"), self._mark(_VOICE)]

    def _opened(self, role: str) -> list[int]:
        return [self._mark(_START), *self._bpe.encode(f"{role}\n")]

    def _mark(self, name: str) -> int:
        return self._first + _MARKS.index(name)


def fish_tokenizer(version: FishVersion, data: bytes, size: int, where: str) -> FishTokenizer:
    """The tokenizer of a version; arguments and errors as of its class."""
    return FishTokenizer14(data, size, where) if version == FishVersion.one_four else FishTokenizer15(data, size, where)


def _checked(text: str) -> str:
    mark = _MARK.search(text)
    if mark is not None:
        raise TextError(f"the text has {mark[0]} in it, which is a mark of the model", fix="Leave it out.")
    return text


def _check_size(tokens: int, size: int, where: str) -> None:
    if tokens > size:
        raise ModelError(f"has {tokens} tokens, the model {size}", where=where, fix="Give the files of one model.")
