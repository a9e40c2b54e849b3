"""Decodes CTC frames to tokens, with phrases, adapter tokens and forbidden tokens."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from torch import Tensor

from speech.decode.bias.phrases import Phrase, Phrases, canonical
from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import TokenSpan, greedy
from speech.errors import ConfigError
from speech.recognize.adapter_tokens import Extension
from speech.text.scripts import script, scripts_of
from speech.text.tokenizers.sentencepiece import Tokenizer

_COMPILED_BYTES = 1 << 26
_MOST_SCRIPTS = 256
"""Maximum cached sets of forbidden tokens; one per set of scripts."""


class Decoder(Protocol):
    """Decodes frames to token spans: `greedy`, or a `BeamDecoder`."""

    def __call__(
        self, frames: CtcFrames, *, forbidden: Collection[int] = (), languages: Sequence[str] = ()
    ) -> list[list[TokenSpan]]:
        """Token spans of each utterance, which is in some of `languages`; tokens in `forbidden` are never emitted."""


class CompiledPhrases:
    """Cache of compiled phrases; thread-safe.

    Entries in use elsewhere are always found. Other entries stay while the cache takes at most `most_bytes`; the
    least recently used are evicted first.
    """

    def __init__(self, most_bytes: int = _COMPILED_BYTES) -> None:
        self._most = most_bytes
        self._alive: weakref.WeakValueDictionary[Hashable, Phrases] = weakref.WeakValueDictionary()
        self._kept: OrderedDict[Hashable, Phrases] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held by the cache itself."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], Phrases]) -> Phrases:
        """Return the phrases of a key, compiling them if they are missing."""
        with self._lock:
            found = self._alive.get(key)
        made = make() if found is None else found  # outside the lock, so that other threads need not wait
        with self._lock:
            found = self._alive.setdefault(key, made)
            if key not in self._kept:
                self._bytes += found.nbytes
            self._kept[key] = found
            self._kept.move_to_end(key)
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return found


class TokenDecoder:
    """Decodes frames with the options of a request.

    Args:
        tokenizer: the model's.
        decode: decoder for the base tokens.
        says_specials: whether the model emits language and task tokens before the words.
    """

    def __init__(self, tokenizer: Tokenizer, decode: Decoder, *, says_specials: bool) -> None:
        self.tokenizer, self.decode, self._says_specials = tokenizer, decode, says_specials
        self._unsayable = lru_cache(maxsize=_MOST_SCRIPTS)(self._forbidden)
        self._compiled = CompiledPhrases()

    @property
    def extends(self) -> bool:
        """Whether adapter tokens can be written; a graph cannot write them."""
        return self.decode is greedy or isinstance(self.decode, BeamDecoder)

    def decoder(self, phrases: tuple[Phrase, ...], extension: Extension | None = None) -> Decoder:
        """Return the decoder for these phrases: a beam search if there are any.

        Phrases that can no longer be written, because the adapter with their letters was removed, are skipped; see
        `check`.

        Raises:
            ConfigError: if the decoder does not support phrases.
        """
        found = self._phrases(phrases, extension) if phrases else None
        return self._preferring(found, extension) if found else self._plain(extension)

    def nbest(
        self,
        log_probs: Tensor,
        phrases: tuple[Phrase, ...],
        written: tuple[str, ...],
        spoken: Sequence[str],
        extension: Extension | None = None,
    ) -> list[tuple[list[TokenSpan], float]]:
        """The texts in the final beam with their posteriors among each other; empty without a beam.

        Args:
            log_probs: `(T, tokens)`.
            phrases: as for `decoder`.
            written: languages whose scripts may be written; see `forbidden`.
            spoken: languages that may be spoken.
            extension: adapter tokens.
        """
        decode = self.decoder(phrases, extension)
        if not isinstance(decode, BeamDecoder) or not len(log_probs):
            return []
        found = decode.nbest(log_probs, self.forbidden(written, extension), spoken)
        return [(spans if extension is None else extension.said(spans), share) for spans, share in found]

    def check(self, phrases: tuple[Phrase, ...], extension: Extension | None = None) -> Phrases | None:
        """Compile phrases; they stay cached for `decoder` while the caller holds the result.

        Raises:
            ConfigError: if a phrase cannot be written, or the decoder does not support phrases.
        """
        if not phrases:
            return None
        self._preferring(None, extension)
        found = self._phrases(phrases, extension)
        if found.left_out is not None:
            raise ConfigError(found.left_out.what, where=found.left_out.where, fix=found.left_out.fix)
        return found

    def _plain(self, extension: Extension | None) -> Decoder:
        """The decoder without phrases; language model and lexicon are dropped if there are adapter tokens, which they
        lack."""
        if extension is not None and isinstance(self.decode, BeamDecoder):
            return replace(self.decode, scorer=None, lexicon=None, pieces=())
        return self.decode

    def _phrases(self, phrases: tuple[Phrase, ...], extension: Extension | None) -> Phrases:
        """Compile the phrases that can be written."""
        meant = canonical(phrases)
        return self._compiled.get((meant, extension), lambda: Phrases(self._tokenizer(extension), meant, strict=False))

    def _preferring(self, phrases: Phrases | None, extension: Extension | None) -> Decoder:
        decode = self._plain(extension)
        decode = BeamDecoder() if decode is greedy else decode
        if not isinstance(decode, BeamDecoder):
            raise ConfigError("phrases cannot be preferred by this decoder", fix="Decode with a beam.")
        return decode.preferring(phrases)

    def _tokenizer(self, extension: Extension | None) -> Tokenizer:
        return self.tokenizer if extension is None else extension.tokenizer

    def forbidden(self, languages: tuple[str, ...], extension: Extension | None = None) -> frozenset[int]:
        """Tokens never to emit: special tokens, and tokens in scripts that `languages` do not use; empty: any script.

        For a model that emits language and task tokens before the words, special tokens stay allowed; they are
        removed later.
        """
        base = self._unsayable(frozenset[str]().union(*map(scripts_of, languages)))
        return base if extension is None else extension.forbidden(base, languages)

    def _forbidden(self, scripts: frozenset[str]) -> frozenset[int]:
        """`forbidden` for languages with these scripts."""
        vocabulary = self.tokenizer.vocabulary
        return frozenset(
            token
            for token in range(1, len(vocabulary))
            if (
                not self._says_specials
                if vocabulary.is_special(token)
                else not _fits(vocabulary.tokens[token], scripts)
            )
        )


def _fits(text: str, scripts: Collection[str]) -> bool:
    """Whether text can be written in these scripts; empty: any script."""
    return not scripts or all(script(character) in (None, *scripts) for character in text)
