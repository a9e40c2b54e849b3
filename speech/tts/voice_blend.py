"""Names of voices and of their blends: `af_heart`, `af_heart:0.6,bf_emma:0.4`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from reprlib import repr as shortened

from speech.errors import ConfigError

MOST_VOICES = 16
"""Voices in a blend, at most."""
_FIX = 'Give "name", or names with weights above 0, such as "af_heart:0.6,bf_emma:0.4".'


def read_blend(text: str) -> dict[str, float]:
    """The voices that a name stands for, with their weights; these sum to 1.

    Args:
        text: a name, or several with a weight behind each.

    Raises:
        ConfigError: if a name or a weight is missing, a weight is not above 0, or a name is there twice.
    """
    if ":" not in text and "," not in text:
        if not text.strip():
            raise ConfigError("the name of a voice is blank", fix=_FIX)
        return {text.strip(): 1.0}
    parts = text.split(",", MOST_VOICES)
    if len(parts) > MOST_VOICES:
        raise ConfigError(f"a blend of more than {MOST_VOICES} voices: {shortened(text)}")
    weights: dict[str, float] = {}
    for part in parts:
        name, _, number = (piece.strip() for piece in part.rpartition(":"))
        weight = _weight(number)
        if not name or ":" in name or weight is None:
            raise ConfigError(f"{shortened(part)} is no voice with its weight", fix=_FIX)
        if name in weights:
            raise ConfigError(f"the voice {shortened(name)} is in a blend twice", fix=_FIX)
        weights[name] = weight
    total = sum(weights.values())
    if not math.isfinite(total):
        raise ConfigError(f"the weights are too large: {shortened(text)}", fix=_FIX)
    return {name: weight / total for name, weight in weights.items()}


def blend_name(weights: Mapping[str, float]) -> str:
    """The one name of a blend, which `read_blend` reads; that of a single voice is its own."""
    if len(weights) == 1:
        return next(iter(weights))
    return ",".join(f"{name}:{weight:.6f}" for name, weight in weights.items())


def _weight(text: str) -> float | None:
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if math.isfinite(weight) and weight > 0 else None
