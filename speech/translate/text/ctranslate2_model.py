"""Text translators in the format of CTranslate2: OPUS-MT (Marian), NLLB and M2M100.

An OPUS-MT model translates in one direction, or from one language into several, with the token `>>fra<<` before the
text; it has one SentencePiece model for each side. NLLB (Costa-jussà et al. 2022, arXiv 2207.04672) and M2M100 (Fan et
al. 2020, arXiv 2010.11125) have one for all languages, and a token of the language before source and target.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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

    def tokens(self, text: str, source: str, target: str) -> list[str]:
        """The tokens of a text with those around it."""
        front = [self.languages.get(source), self.before.get(target)]
        pieces = self.source.encode(text, out_type=str)
        return [token for token in (*front, *pieces, self.eos) if token is not None]

    def text(self, tokens: Sequence[str]) -> str:
        """The text of translated tokens."""
        return " ".join(self.target.decode([token for token in tokens if token not in self.special]).split())


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
        return [self._translate(text, source, target) for text in texts]

    def _translate(self, text: str, source: str, target: str) -> str:
        files = self._files
        row = files.tokens(text, source, target)
        if len(row) > _MOST_TOKENS:
            what = f"a text of {len(row)} tokens, at most {_MOST_TOKENS}: {text[:40]}..."
            raise TranslatorError(what, fix="Cut the speech into shorter parts.")
        prefix = [[files.languages[target]]] if files.languages else None
        most = min(2 * len(row) + _MORE_TOKENS, _MOST_TOKENS)
        try:
            found = self._model.translate_batch(
                [row], target_prefix=prefix, beam_size=self._beam, max_decoding_length=most
            )
        except RuntimeError as error:
            raise TranslatorError(f"CTranslate2 does not translate a text: {error}") from error
        return files.text(found[0].hypotheses[0])


def read_files(folder: Path, directions: Directions | None) -> TranslatorFiles:
    """Read tokenizers, vocabulary and settings of a model. Raises what `CTranslate2Translator` does."""
    where = printable(folder)
    vocabulary, settings = _vocabulary(folder), _json(folder / "config.json", dict)
    eos = None if settings.get("add_source_eos") else str(settings.get("eos_token") or _EOS)
    own = {str(value) for name, value in settings.items() if name.endswith("_token")}
    if (folder / _SOURCE).is_file() and (folder / _TARGET).is_file():
        before = target_tokens(vocabulary)
        known = _directions_of_marian(directions, before, where)
        special = frozenset({*own, *_SPECIAL, *before.values()})
        source, target = _pieces(folder / _SOURCE), _pieces(folder / _TARGET)
        return TranslatorFiles(source, target, known, before, eos=eos, special=special)
    models, languages = sorted(folder.glob("*.model")), prefix_tokens(vocabulary)
    if len(models) != 1:
        text = f"has {len(models)} SentencePiece models (*.model), expected one, or {_SOURCE} and {_TARGET}"
        raise ModelError(text, where=where, fix="Copy the tokenizer's files beside model.bin.")
    if not languages:
        raise ModelError("its vocabulary has no token of a language, such as fra_Latn or __fr__", where=where)
    known = within(directions, Directions(tuple(languages), tuple(languages)), where)
    pieces, special = _pieces(models[0]), frozenset({*own, *_SPECIAL, *languages.values()})
    return TranslatorFiles(pieces, pieces, known, languages=languages, eos=eos, special=special)


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


def _vocabulary(folder: Path) -> list[str]:
    """Tokens of the source side, which is the target's too unless there are two vocabularies."""
    for name in ("shared_vocabulary", "source_vocabulary"):
        path = folder / f"{name}.json"
        if path.is_file():
            return [str(token) for token in _json(path, list)]
        path = folder / f"{name}.txt"
        if path.is_file():
            return read_text(path).splitlines()
    fix = "Convert the model with ct2-transformers-converter."
    raise ModelError("has no shared_vocabulary.json and no source_vocabulary.json", where=printable(folder), fix=fix)


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
