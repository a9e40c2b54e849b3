"""What makes tokens of frames: decoders, with phrases and new tokens, and what cannot be said."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from speech.decode.beam import BeamDecoder
from speech.decode.frames import Frames
from speech.decode.greedy import TokenSpan, greedy
from speech.decode.phrases import Phrase, Phrases
from speech.errors import ConfigError
from speech.stream.new_tokens import Extension
from speech.text.normalize import plain_text
from speech.text.scripts import written_in
from speech.text.tokenizer import Tokenizer


class Decoder(Protocol):
    """Frames to token spans: `greedy`, or a `BeamDecoder`."""

    def __call__(
        self, frames: Frames, *, forbidden: Collection[int] = (), languages: Sequence[str] = ()
    ) -> list[list[TokenSpan]]:
        """Token spans of each utterance, which is in some of `languages`; tokens in `forbidden` cannot be said."""


class Writing:
    """How a recogniser writes.

    Args:
        tokenizer: of the model.
        decode: of the model's tokens.
        says_specials: whether the model says language and task before the words.
    """

    def __init__(self, tokenizer: Tokenizer, decode: Decoder, *, says_specials: bool) -> None:
        self.tokenizer, self.decode, self._says_specials = tokenizer, decode, says_specials
        self._forbidden: dict[tuple[str, ...], frozenset[int]] = {}
        self._searching = lru_cache(maxsize=512)(self._writable)

    @property
    def extends(self) -> bool:
        """Whether new tokens can be written: a graph says what it holds and nothing else."""
        return self.decode is greedy or isinstance(self.decode, BeamDecoder)

    def decoder(self, phrases: tuple[Phrase, ...], extension: Extension | None = None) -> Decoder:
        """What makes tokens of frames: a search, where phrases are to be preferred.

        Phrases that cannot be written, because the adapter that had their letters is gone, are left out: see `check`.

        Raises:
            ConfigError: if the decoder cannot prefer any.
        """
        return self._searching(phrases, extension) if phrases else self._plain(extension)

    def check(self, phrases: tuple[Phrase, ...], extension: Extension | None = None) -> None:
        """Raises ConfigError if a phrase cannot be written, or the decoder cannot prefer any."""
        if phrases:
            self._preferring(phrases, extension)

    def _plain(self, extension: Extension | None) -> Decoder:
        """Language model and words know nothing of new tokens, and stay out where those are written."""
        if extension is not None and isinstance(self.decode, BeamDecoder):
            return replace(self.decode, scorer=None, lexicon=None, pieces=())
        return self.decode

    def _writable(self, phrases: tuple[Phrase, ...], extension: Extension | None) -> Decoder:
        tokenizer = self._tokenizer(extension)
        unk = tokenizer.vocabulary.unk
        kept = tuple(phrase for phrase in phrases if unk not in tokenizer.encode(plain_text(phrase.text)))
        return self._preferring(kept, extension) if kept else self._plain(extension)

    def _preferring(self, phrases: tuple[Phrase, ...], extension: Extension | None) -> Decoder:
        decode = self._plain(extension)
        decode = BeamDecoder() if decode is greedy else decode
        if not isinstance(decode, BeamDecoder):
            raise ConfigError("phrases cannot be preferred by this decoder", fix="Decode with a beam.")
        return decode.preferring(Phrases(self._tokenizer(extension), phrases))

    def _tokenizer(self, extension: Extension | None) -> Tokenizer:
        return self.tokenizer if extension is None else extension.tokenizer

    def forbidden(self, languages: tuple[str, ...], extension: Extension | None = None) -> frozenset[int]:
        """Tokens that cannot be said: special ones, and scripts of other languages than these; none: any script.

        A model that says language and task before the words may go on saying them; they are left out afterwards.
        """
        if languages not in self._forbidden:
            tokens = range(1, len(self.tokenizer.vocabulary))
            self._forbidden[languages] = frozenset(token for token in tokens if self._unsayable(token, languages))
        base = self._forbidden[languages]
        return base if extension is None else extension.forbidden(base, languages)

    def _unsayable(self, token: int, languages: Sequence[str]) -> bool:
        if self.tokenizer.vocabulary.is_special(token):
            return not self._says_specials
        return bool(languages) and not written_in(self.tokenizer.vocabulary.tokens[token], languages)
