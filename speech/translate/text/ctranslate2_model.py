"""Text translators in the format of CTranslate2: OPUS-MT (Marian), NLLB and M2M100.

An OPUS-MT model translates in one direction, or from one language into several, with the token `>>fra<<` before the
text; it has one SentencePiece model for each side. NLLB (Costa-jussà et al. 2022, arXiv 2207.04672) and M2M100 (Fan et
al. 2020, arXiv 2010.11125) have one for all languages, and a token of the language before source and target.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sentencepiece

from speech.errors import ConfigError, ModelError, TranslatorError
from speech.extras import needs_extra
from speech.files import printable, read_text
from speech.translate.text.directions import Directions, within
from speech.translate.text.language_tokens import prefix_tokens, target_tokens
from speech.translate.text.translator import check_pair
from speech.translate.toxicity import ROUNDS, ToxicWords, covering, forms

_SPACE = "▁"
"""In pieces of SentencePiece."""
_SOURCE, _TARGET = "source.spm", "target.spm"
_EOS, _SPECIAL = "</s>", ("<unk>", "<s>", "</s>", "<pad>")
_MOST_TOKENS, _MORE_TOKENS = 500, 50
"""Maximum tokens of a text; a translation has at most twice as many tokens and `_MORE_TOKENS` more. OPUS-MT has 512
positions."""


@dataclass(frozen=True, slots=True)
class TranslatorFiles:
    """What the files of a model say about its texts."""

    source: sentencepiece.SentencePieceProcessor
    target: sentencepiece.SentencePieceProcessor
    directions: Directions
    before: dict[str, str] = field(default_factory=dict)
    """Token of each target before the source, if there is one."""
    languages: dict[str, str] = field(default_factory=dict)
    """Token of each language before source and target, if there are such tokens."""
    eos: str | None = None
    """Token behind the source, unless CTranslate2 adds it."""
    special: frozenset[str] = frozenset()
    """Tokens that are no text."""
    written: frozenset[str] = frozenset()
    """The vocabulary of the target side."""

    def tokens(self, text: str, source: str, target: str) -> list[str]:
        """The tokens of a text with those around it."""
        front = [self.languages.get(source), self.before.get(target)]
        pieces = self.source.encode(text, out_type=str)
        return [token for token in (*front, *pieces, self.eos) if token is not None]

    def text(self, tokens: Sequence[str]) -> str:
        """The text of translated tokens."""
        return " ".join(self.target.decode([token for token in tokens if token not in self.special]).split())

    def listed(self, tokens: Sequence[str], target: str, words: ToxicWords) -> Iterator[tuple[str, ...]]:
        """Token sequences of the listed words in translated tokens: as they are spelled there, and as usual, as far as
        the vocabulary has their tokens."""
        plain = [token for token in tokens if token not in self.special]
        text = "".join(plain).replace(_SPACE, " ")
        for entry in words.matches(self.text(tokens), target):
            usual = [self.target.encode(form, out_type=str) for form in forms(entry)]
            yield from (tuple(form) for form in usual if self.written.issuperset(form))
            for first, last in words.places(entry, text, target):
                yield covering(plain, [*map(len, plain)], first, last)


class CTranslate2Translator:
    """A translator in a directory; see `TextTranslator`. Each text is a batch of its own.

    Args:
        folder: with `model.bin`, `config.json`, vocabularies, and `source.spm` and `target.spm` or one `*.model`.
        directions: languages to use it for; None: all that it has tokens for. An OPUS-MT model does not name its
            languages: they have to be given.
        beam: beam size.
        threads: CPU threads of a translation.

    Raises:
        ModelError: if a file is missing or damaged.
        ConfigError: if CTranslate2 is not installed, languages have to be given, or the model does not know one.
    """

    def __init__(self, folder: Path, directions: Directions | None = None, *, beam: int = 2, threads: int = 1) -> None:
        self._files = read_files(folder, directions)
        self._beam = beam
        try:
            import ctranslate2
        except ImportError as error:
            fix = needs_extra("ctranslate2")
            raise ConfigError("a translator of this kind needs CTranslate2", where=str(folder), fix=fix) from error
        try:
            self._model: Any = ctranslate2.Translator(str(folder), device="cpu", intra_threads=threads)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"is no translator of CTranslate2: {error}", where=printable(folder)) from error

    @property
    def sources(self) -> tuple[str, ...]:
        """See `TextTranslator`."""
        return self._files.directions.sources

    @property
    def targets(self) -> tuple[str, ...]:
        """See `TextTranslator`."""
        return self._files.directions.targets

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """See `TextTranslator`."""
        check_pair(self, source, target)
        return [self._files.text(self._translations(text, source, target)[0]) for text in texts]

    def translate_without(self, text: str, source: str, target: str, words: ToxicWords) -> str | None:
        """See `TextTranslator`: the likeliest text of the beam that has none. If all have some, their listed words are
        banned, and the text is translated again, at most `ROUNDS` times."""
        check_pair(self, source, target)
        banned: set[tuple[str, ...]] = set()
        for _ in range(1 + ROUNDS):
            found = self._translations(text, source, target, banned, self._beam)
            clean = (said for said in map(self._files.text, found) if not words.matches(said, target))
            best = next(clean, None)
            if best is not None:
                return best
            for tokens in found:
                banned.update(self._files.listed(tokens, target, words))
        return None

    def _translations(
        self, text: str, source: str, target: str, banned: Iterable[tuple[str, ...]] = (), count: int = 1
    ) -> list[list[str]]:
        """The tokens of the `count` likeliest translations without banned sequences."""
        files = self._files
        row = files.tokens(text, source, target)
        if len(row) > _MOST_TOKENS:
            what = f"a text of {len(row)} tokens, at most {_MOST_TOKENS}: {text[:40]}..."
            raise TranslatorError(what, fix="Cut the speech into shorter parts.")
        prefix = [[files.languages[target]]] if files.languages else None
        most = min(2 * len(row) + _MORE_TOKENS, _MOST_TOKENS)
        try:
            found = self._model.translate_batch(
                [row], target_prefix=prefix, beam_size=self._beam, max_decoding_length=most, num_hypotheses=count,
                suppress_sequences=[[*tokens] for tokens in banned if tokens] or None,
            )  # fmt: skip
        except RuntimeError as error:
            raise TranslatorError(f"CTranslate2 does not translate a text: {error}") from error
        hypotheses: list[list[str]] = found[0].hypotheses
        return hypotheses


def read_files(folder: Path, directions: Directions | None) -> TranslatorFiles:
    """Read tokenizers, vocabulary and settings of a model. Raises what `CTranslate2Translator` does."""
    where = printable(folder)
    vocabulary, settings = _vocabulary(folder, "source"), _json(folder / "config.json", dict)
    written = frozenset(_vocabulary(folder, "target"))
    eos = None if settings.get("add_source_eos") else str(settings.get("eos_token") or _EOS)
    own = {str(value) for name, value in settings.items() if name.endswith("_token")}
    if (folder / _SOURCE).is_file() and (folder / _TARGET).is_file():
        before = target_tokens(vocabulary)
        known = _directions_of_marian(directions, before, where)
        special = frozenset({*own, *_SPECIAL, *before.values()})
        source, target = _pieces(folder / _SOURCE), _pieces(folder / _TARGET)
        return TranslatorFiles(source, target, known, before, eos=eos, special=special, written=written)
    models, languages = sorted(folder.glob("*.model")), prefix_tokens(vocabulary)
    if len(models) != 1:
        text = f"has {len(models)} SentencePiece models (*.model), expected one, or {_SOURCE} and {_TARGET}"
        raise ModelError(text, where=where, fix="Copy the tokenizer's files beside model.bin.")
    if not languages:
        raise ModelError("its vocabulary has no token of a language, such as fra_Latn or __fr__", where=where)
    known = within(directions, Directions(tuple(languages), tuple(languages)), where)
    pieces, special = _pieces(models[0]), frozenset({*own, *_SPECIAL, *languages.values()})
    return TranslatorFiles(pieces, pieces, known, languages=languages, eos=eos, special=special, written=written)


def _directions_of_marian(given: Directions | None, before: dict[str, str], where: str) -> Directions:
    if given is None:
        example = f"spa:{','.join(before) or 'fra'}"
        raise ConfigError("does not name its languages", where=where, fix=f"Give them: {where}={example}.")
    if before:
        return within(given, Directions(given.sources, tuple(before)), where)
    if len(given.targets) > 1:
        text = f"has no tokens of targets, and translates into one language, not {', '.join(given.targets)}"
        raise ConfigError(text, where=where, fix="Give the one that it was trained for.")
    return given


def _vocabulary(folder: Path, side: str) -> list[str]:
    """Tokens of one side, "source" or "target": the same unless there are two vocabularies."""
    for name in ("shared_vocabulary", f"{side}_vocabulary"):
        path = folder / f"{name}.json"
        if path.is_file():
            return [str(token) for token in _json(path, list)]
        path = folder / f"{name}.txt"
        if path.is_file():
            return read_text(path).splitlines()
    fix = "Convert the model with ct2-transformers-converter."
    raise ModelError(f"has no shared_vocabulary.json and no {side}_vocabulary.json", where=printable(folder), fix=fix)


def _json[T](path: Path, kind: type[T]) -> T:
    where = printable(path)
    if not path.is_file():
        raise ModelError("is not there", where=where, fix="Convert the model with ct2-transformers-converter.")
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is not JSON: {error}", where=where) from error
    if not isinstance(found, kind):
        raise ModelError(f"holds a {type(found).__name__}, expected a {kind.__name__}", where=where)
    return found


def _pieces(path: Path) -> sentencepiece.SentencePieceProcessor:
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError, TypeError) as error:
        raise ModelError(f"is no SentencePiece model: {error}", where=printable(path)) from error
