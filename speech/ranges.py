"""Numbers in configurations: what each may be is said where it is declared, and one walk checks them all."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from speech.errors import ConfigError

_KEY = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a number may be; it is finite in any case."""

    least: float | None = None
    above: float | None = None
    """It is more than this."""
    most: float | None = None
    below: float | None = None
    """It is less than this."""
    count: tuple[int, int | None] = (0, None)
    """Of a list: the fewest and the most items, each of which has the range."""

    def __contains__(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        bounds = [
            f"{words} {bound:g}"
            for words, bound in (
                ("at least", self.least), ("more than", self.above), ("at most", self.most), ("less than", self.below)
            )
            if bound is not None
        ]  # fmt: skip
        return " and ".join(bounds) or "a finite number"


def ranged(
    default: float | None,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> Any:
    """A field of a configuration: a number, or None, with what it may be (see `Range`)."""
    return dataclasses.field(default=default, metadata=within(Range(least=least, above=above, most=most, below=below)))


def within(allowed: Range) -> dict[str, Range]:
    """Metadata of a field that is a list: what its numbers may be."""
    return {_KEY: allowed}


def range_of(field: dataclasses.Field[Any]) -> Range:
    """What the number of a field may be: anything finite where nothing is declared."""
    found: Range = field.metadata.get(_KEY, Range())
    return found


def check(config: object, path: str = "") -> None:
    """Walk over a configuration, a dataclass of dataclasses.

    Args:
        config: its numbers are checked.
        path: of it, as errors name its fields: "optimizer" for `optimizer.lr`.

    Raises:
        ConfigError: naming the first number that is not finite or out of its range.
    """
    assert dataclasses.is_dataclass(config)
    for field in dataclasses.fields(config):
        value, where = getattr(config, field.name), f"{path}.{field.name}" if path else field.name
        if dataclasses.is_dataclass(value):
            check(value, where)
        elif isinstance(value, list):
            _check_list(value, range_of(field), where)
        else:
            _check_one(value, range_of(field), where)


def _check_list(values: list[Any], allowed: Range, where: str) -> None:
    fewest, most = allowed.count
    if len(values) < fewest or (most is not None and len(values) > most):
        wanted = f"{fewest}" if fewest == most else f"at least {fewest}"
        raise ConfigError(f"{where} has {len(values)} numbers, expected {wanted}")
    for number, value in enumerate(values):
        _check_one(value, allowed, f"{where}[{number}]")


def _check_one(value: Any, allowed: Range, where: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or value in allowed:
        return
    found = f"{value:g}" if isinstance(value, float) else f"{value}"
    raise ConfigError(f"{where} {'' if math.isfinite(value) else 'is '}{found}, expected {allowed}")
