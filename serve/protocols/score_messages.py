"""Score messages of the protocol: the reference, and the parts of a `score`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct


class ReferenceWord(Struct, forbid_unknown_fields=True):
    """A word of a reference."""

    text: str
    language: str | None = None
    poi: bool = False
    """Whether it is a point of interest."""


class ReferenceText(Struct, kw_only=True, forbid_unknown_fields=True):
    """Reference text, or a part of it; `<tag ...>` encloses points of interest."""

    text: str
    languages: Annotated[list[str], Meta(max_length=64)] = msgspec.field(default_factory=list)
    """Codes or names of its languages, main language first."""
    words: list[ReferenceWord] = msgspec.field(default_factory=list)
    """The words of `text`, if their languages or points of interest are known."""


class Reference(ReferenceText, tag="reference"):
    """Adds to the reference text that finals are scored against. Several are joined by a space."""

    sentence: Annotated[int, Meta(ge=0)] | None = None
    """Number of this message, from 0. A number that is sent again, after a resume, counts once."""


class Rate(Struct, forbid_unknown_fields=True):
    """Errors per unit of the reference; `rate` is null without units."""

    errors: int
    units: int
    rate: float | None


class ScoreFigures(Struct, forbid_unknown_fields=True):
    """Error rates, as in `speech score`."""

    wer: Rate
    cer: Rate
    mer: Rate
    pier: Rate
    switch: Rate
    language: Rate
    saer: float | None
    distance: float | None
    """Semantic distance, 0 to 1."""


class ReferenceCoverage(Struct, forbid_unknown_fields=True):
    """How much of the reference a score covers: `units` of `of` mixed units."""

    units: int
    of: int


class SentenceErrors(Struct, forbid_unknown_fields=True):
    """Errors of one `reference` message, as far as it has been spoken."""

    sentence: int
    errors: int
    units: int
