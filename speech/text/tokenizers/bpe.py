"""Byte-level BPE with Whisper's special tokens, read from a `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

import tokenizers

from speech.errors import LanguageError, ModelError
from speech.text.languages import ENGLISH, resolve

_END, _START, _NO_TIMESTAMPS = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"
_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")


class LabelTokenizer:
    """Text to token ids of a label decoder, and back.

    Args:
        data: a `tokenizer.json` of Hugging Face's tokenizers, with the special tokens of Whisper.
        english_only: the model knows only English: its prompt names neither language nor task.
        added: ISO 639-3 code -> token of languages that were added to the model and are not in the file.
        targets: ISO 639-3 codes of the languages that the model was trained to translate into.

    Attributes:
        languages: ISO 639-3 code -> token, in the model's order, then the added languages. An English-only model maps
            "eng" to the start-of-transcript token.

    Raises:
        ModelError: if the data is not a tokenizer, or lacks a special token of Whisper.
    """

    def __init__(
        self,
        data: bytes,
        *,
        english_only: bool = False,
        added: Mapping[str, int] = MappingProxyType({}),
        targets: Sequence[str] = (ENGLISH,),
    ) -> None:
        self.data = data
        self.english_only, self.added = english_only, frozenset(added)
        self.targets = () if english_only else tuple(targets)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
        except Exception as error:  # the library has no exception class of its own
            raise ModelError(f"is no tokenizer: {error}", where="tokenizer.json") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.end = self._id(_END)
        self.start = self._id(_START)
        self.translate, self.transcribe = self._id("<|translate|>"), self._id("<|transcribe|>")
        self.no_speech = self._id(*_NO_SPEECH)
        self.previous = self._id("<|startofprev|>")
        self.no_timestamps = self._id(_NO_TIMESTAMPS)
        tokens = range(self.start + 1, self.translate)
        try:
            self.languages = {resolve(self._name(token)[2:-2]).code: token for token in tokens}
        except LanguageError as error:
            raise ModelError(f"has a token of no known language: {error.what}", where="tokenizer.json") from error
        self.languages |= added
        if english_only:
            self.languages = {"eng": self.start}

    def _name(self, token: int) -> str:
        name: str | None = self._tokenizer.id_to_token(token)
        if name is None:
            raise ModelError(f"has no token {token}", where="tokenizer.json")
        return name

    def _id(self, *names: str) -> int:
        found = next((i for name in names if (i := self._tokenizer.token_to_id(name)) is not None), None)
        if found is None:
            raise ModelError(f"has no token {names[0]}", where="tokenizer.json", fix="Give one of a Whisper model.")
        return found

    @property
    def first_timestamp(self) -> int:
        """Token of timestamp 0.00 s; all tokens before it are text tokens or special tokens."""
        return self.no_timestamps + 1

    @cached_property
    def specials(self) -> tuple[int, ...]:
        """Special tokens, except end of text and timestamps."""
        return tuple(range(self.end + 1, self.first_timestamp))

    def language_id(self, code: str) -> int:
        """Return the token of a language.

        Raises:
            LanguageError: if the decoder does not know the language.
        """
        if code not in self.languages:
            raise LanguageError(f"the decoder does not know the language {code!r}")
        return self.languages[code]

    def prompt(self, language: str, *, target: str | None = None, before: Sequence[int] = ()) -> list[int]:
        """Return the prompt tokens for a text without timestamps.

        Whisper translates into English only; other targets are named by their language token behind the task token.
        Speech in another target is transcribed: no model has learned to translate it into itself.

        Args:
            language: ISO 639-3 code of the speech.
            target: ISO 639-3 code of a translation; None: transcribe.
            before: tokens of the previous text.

        Raises:
            LanguageError: if the decoder does not know a language, or is English-only and asked to translate.
        """
        context = [self.previous, *before] if before else []
        spoken = self.language_id(language)
        if self.english_only:
            if target is not None:
                raise LanguageError("the decoder knows English alone: it translates nothing")
            return [*context, self.start, self.no_timestamps]
        if target in (None, language) and target != ENGLISH:
            task = [self.transcribe]
        else:
            task = [self.translate] if target == ENGLISH else [self.translate, self.language_id(str(target))]
        return [*context, self.start, spoken, *task, self.no_timestamps]

    def encode(self, text: str) -> list[int]:
        """Token ids of a text as the decoder writes it, with a leading space in scripts that use spaces."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`. Special tokens and timestamps are dropped; incomplete UTF-8 characters become U+FFFD."""
        text: str = self._tokenizer.decode([i for i in ids if i < self.end], skip_special_tokens=False)
        return text

    def piece(self, token: int) -> bytes:
        """UTF-8 bytes of a text token."""
        return self._bytes[token]

    @cached_property
    def _bytes(self) -> list[bytes]:
        letters = {letter: byte for byte, letter in _byte_letters().items()}
        return [bytes(letters[letter] for letter in self._name(token)) for token in range(self.end)]


def _byte_letters() -> dict[int, str]:
    """GPT-2's character for each byte: printable bytes map to themselves, the others to U+0100 and following."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(others)}
