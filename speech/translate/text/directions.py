"""The translator that a user names, and the languages for it: `DIR`, `OWNER/MODEL=spa:fra`, `URL=eng,spa:fra,deu`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from speech.errors import ConfigError, LanguageError
from speech.text.languages import resolve

_LANGUAGES = re.compile(r"(?P<name>.+)=(?P<sources>[A-Za-z, -]+):(?P<targets>[A-Za-z, -]+)")


@dataclass(frozen=True, slots=True)
class Directions:
    """Languages that a translator is used for."""

    sources: tuple[str, ...]
    """ISO 639-3 codes of the texts."""
    targets: tuple[str, ...]
    """ISO 639-3 codes of the translations."""


@dataclass(frozen=True, slots=True)
class NamedTranslator:
    """A translator as a user names it."""

    name: str
    """Directory, hub id, or URL of an endpoint."""
    directions: Directions | None
    """Languages that the user gives with it; None: those that its files name."""

    @classmethod
    def parse(cls, text: str) -> NamedTranslator:
        """Parse `NAME` or `NAME=SOURCES:TARGETS`, with languages separated by commas.

        Raises:
            ConfigError: if there is no name, or a language is unknown.
        """
        found = _LANGUAGES.fullmatch(text.strip())
        if found is None:
            if not text.strip():
                raise ConfigError("a translator without a name", fix="Give a directory, a hub id or a URL.")
            return cls(text.strip(), None)
        return cls(found["name"], Directions(_codes(found["sources"], text), _codes(found["targets"], text)))

    @property
    def is_endpoint(self) -> bool:
        """Whether it is asked over HTTP."""
        return self.name.lower().startswith(("http://", "https://"))


def _codes(names: str, where: str) -> tuple[str, ...]:
    try:
        codes = tuple(dict.fromkeys(resolve(name).code for name in names.split(",") if name.strip()))
    except LanguageError as error:
        raise ConfigError(error.what, where=f"translator {where}", fix=error.fix) from error
    if not codes:
        raise ConfigError("languages are missing", where=f"translator {where}", fix="E.g. =spa:fra, or =eng,spa:fra.")
    return codes


def within(given: Directions | None, known: Directions, where: str) -> Directions:
    """The directions that a user gives, or all that are known.

    Raises:
        ConfigError: if the user gives one that is not known.
    """
    if given is None:
        return known
    for codes, offered in ((given.sources, known.sources), (given.targets, known.targets)):
        missing = _first_missing(codes, offered)
        if missing is not None:
            raise ConfigError(f"has no token for {missing!r}", where=where, fix=f"It has {', '.join(offered)}.")
    return given


def _first_missing(codes: Iterable[str], known: Iterable[str]) -> str | None:
    offered = {*known}
    return next((code for code in codes if code not in offered), None)
