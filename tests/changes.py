"""Another configuration: frozen ones are not changed in place."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any


def changed[C](config: C, values: Mapping[str, Any]) -> C:
    """`config` with other values by path, e.g. {"optimizer.lr": 0.1}."""
    for path, value in values.items():
        name, _, rest = path.partition(".")
        inner = changed(getattr(config, name), {rest: value}) if rest else value
        config = replace(config, **{name: inner})  # type: ignore[type-var]
    return config
