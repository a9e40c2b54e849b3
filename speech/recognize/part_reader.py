"""What reads parts with full context: all that files, live sessions and servers know of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from speech.choices import Live
from speech.models.base import Hearing
from speech.nn.adapters import AdapterBank
from speech.recognize.context import Context
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.transcript import Word


class PartReader(Protocol):
    """Reads parts of any number of streams; what a part says does not depend on what else is read."""

    @property
    def model(self) -> Hearing:
        """What hears."""

    @property
    def grid(self) -> int:
        """Samples of a frame: cuts lie on it."""

    @property
    def longest_s(self) -> float | None:
        """Of a part that can be read; None: any."""

    @property
    def live(self) -> Live:
        """What live partial results come from."""

    @property
    def context_tokens(self) -> int:
        """Of the text before (`Part.before`) that it is told; 0: it reads each part by itself."""

    @property
    def languages(self) -> Sequence[str]:
        """ISO 639-3 codes that it tells from one another, in the order of `PartResult.evidence`."""

    @property
    def known(self) -> tuple[str, ...]:
        """ISO 639-3 codes that may be named, `languages` first; adapters may know others."""

    @property
    def into(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that it translates into."""

    @property
    def adapters(self) -> AdapterBank | None:
        """Of languages."""

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None: ...

    def check(self, request: Request) -> object:
        """Whether it can be done. While somebody holds what it returns, it need not be prepared again.

        Raises:
            LanguageError: if the model lacks a language, or does not translate into it.
            ConfigError: if it cannot do what else is asked for.
        """

    def hurries(self, request: Request) -> bool:
        """Whether CTC can write its transcript instead of a label decoder, should it be `quick`: it knows each language
        that is named."""

    def read(self, parts: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        """What each part says, as its request asks for it; those in which nobody speaks are skipped."""

    def following(self, part: Part, result: PartResult) -> Context | None:
        """What is said before the next part of the same stream, by what this one says as a transcript; None: nothing
        that counts."""

    def words(self, result: PartResult, request: Request) -> list[Word]:
        """The words of a part; each in its language, or in the one that is translated into."""

    def language(self, evidence: Tensor | None, frames: int, request: Request) -> tuple[str, float]:
        """The language that is spoken, among those asked for, and its probability.

        Raises:
            LanguageError: if it is not given, and the model cannot tell.
        """
