"""Interface of full-context models, as used by files, live sessions and servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from speech.choices import Live
from speech.models.base import Hearing
from speech.nn.adapters import AdapterBank
from speech.recognize.context import Context
from speech.recognize.draft_decoder import DraftDecoder
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.transcript import Word


class PartReader(Protocol):
    """Reads parts of any number of streams; the result of a part does not depend on other parts in the call."""

    @property
    def model(self) -> Hearing:
        """The acoustic model."""

    @property
    def grid(self) -> int:
        """Samples per frame; cuts lie on multiples of it."""

    @property
    def longest_s(self) -> float | None:
        """Maximum length of a part in seconds; None: no limit."""

    @property
    def live(self) -> Live:
        """How live partial results are computed."""

    @property
    def context_tokens(self) -> int:
        """Maximum context tokens (`Part.before`) given to the decoder; 0: no context is used."""

    @property
    def languages(self) -> Sequence[str]:
        """ISO 639-3 codes of the languages that the model identifies, in the order of `PartResult.evidence`."""

    @property
    def known(self) -> tuple[str, ...]:
        """ISO 639-3 codes that may be requested, `languages` first; adapters may add others."""

    @property
    def into(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that the model translates into."""

    @property
    def drafts_into(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages into which it drafts translations of parts that still grow."""

    @property
    def drafts(self) -> DraftDecoder | None:
        """Continues translations of such parts; None: there is no label decoder."""

    @property
    def adapters(self) -> AdapterBank | None:
        """Language adapters."""

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None: ...

    def check(self, request: Request) -> object:
        """Check that a request is supported. Preparations for it are cached while the caller holds the result.

        Raises:
            LanguageError: if the model lacks a language, or does not translate into it.
            ConfigError: if another option is not supported.
        """

    def hurries(self, request: Request) -> bool:
        """Whether CTC can write the transcript in place of the label decoder if `quick`: it must know every named
        language."""

    def read(self, parts: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        """Return one result per part, as its request asks; silent parts are skipped."""

    def following(self, part: Part, result: PartResult) -> Context | None:
        """Context for the next part of the stream, given this part's transcript; None: no usable context."""

    def words(self, result: PartResult, request: Request) -> list[Word]:
        """The words of a part, each with its language, or with the target language of a translation."""

    def language(self, evidence: Tensor | None, frames: int, request: Request) -> tuple[str, float]:
        """The spoken language, among those requested, and its probability.

        Raises:
            LanguageError: if no language is named and the model does not identify languages.
        """


def has_trained_policy(reader: PartReader) -> bool:
    """Whether the drafts of a reader have `TranslationDraft.write`, for EMMA."""
    return reader.drafts is not None and reader.drafts.policy is not None
