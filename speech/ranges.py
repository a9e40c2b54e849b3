"""Allowed ranges of numbers in configurations: declared with each field, all checked by `check`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from speech.errors import ConfigError

_KEY = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The allowed range of a number, which must also be finite. `least` and `most` are inclusive bounds."""

    least: float | None = None
    above: float | None = None
    """Exclusive lower bound."""
    most: float | None = None
    below: float | None = None
    """Exclusive upper bound."""
    count: tuple[int, int | None] = (0, None)
    """For a list: minimum and maximum number of items (None: no maximum). The range applies to each item."""

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
    """A dataclass field for a number or None, with its allowed range (see `Range`)."""
    return dataclasses.field(default=default, metadata=within(Range(least=least, above=above, most=most, below=below)))


def within(allowed: Range) -> dict[str, Range]:
    """Dataclass field metadata with an allowed range, e.g. for a list of numbers."""
    return {_KEY: allowed}


def range_of(field: dataclasses.Field[Any]) -> Range:
    """Return the allowed range of a field; without a declared one, any finite number."""
    found: Range = field.metadata.get(_KEY, Range())
    return found


def check(config: object, path: str = "") -> None:
    """Check all numbers of a configuration, a dataclass that may hold others.

    Args:
        config: dataclass instance.
        path: prefix of field names in errors: "optimizer" for `optimizer.lr`.

    Raises:
        ConfigError: naming the first number that is not finite or out of range, or a list of the wrong length.
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
