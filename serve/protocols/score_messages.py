"""What the protocol says about scores: a reference, and the parts of a `score`."""

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
    """What is really said, or a part of it; `<tag ...>` stands around points of interest."""

    text: str
    languages: Annotated[list[str], Meta(max_length=64)] = msgspec.field(default_factory=list)
    """Codes or names, the main one first."""
    words: list[ReferenceWord] = msgspec.field(default_factory=list)
    """Those of the text, if anything is known of them."""


class Reference(ReferenceText, tag="reference"):
    """More of what is really said: finals are scored from here on. Several are joined by a space."""

    sentence: Annotated[int, Meta(ge=0)] | None = None
    """Which one this is, from 0. With it a message that is said twice, after a resume, counts once."""


class Rate(Struct, forbid_unknown_fields=True):
    """Errors per unit of the reference; None without units."""

    errors: int
    units: int
    rate: float | None


class ScoreFigures(Struct, forbid_unknown_fields=True):
    """As `speech score` has them."""

    wer: Rate
    cer: Rate
    mer: Rate
    pier: Rate
    switch: Rate
    language: Rate
    saer: float | None
    distance: float | None
    """Of meanings, 0 to 1."""


class ReferenceCoverage(Struct, forbid_unknown_fields=True):
    """How much of the reference a score is against, in mixed units."""

    units: int
    of: int


class SentenceErrors(Struct, forbid_unknown_fields=True):
    """Of one `reference` message, as far as it has been said."""

    sentence: int
    errors: int
    units: int
