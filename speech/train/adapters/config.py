"""Configuration of adapter training."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from speech.errors import ConfigError
from speech.nn.adapters import BUDGET
from speech.ranges import Range, ranged, within
from speech.text.languages import resolve
from speech.train.asr.config import RunConfig


class Method(StrEnum):
    """Fine-tuning method: the parameters that are trained."""

    adapter = "adapter"
    """One language-dependent adapter per language."""
    lora = "lora"
    """Low-rank updates (LoRA) of queries and values per language, by peft (extra `lora`), as a baseline."""
    whole = "whole"
    """All parameters, shared by all languages, as a baseline."""


class AdapterStart(StrEnum):
    """Initialisation of the down-projection of the bottleneck."""

    principal = "principal"
    """Principal directions of the language's frames (Paischer et al. 2024, "EVA")."""
    random = "random"


class AdapterRows(StrEnum):
    """Initialisation of the output rows of tokens that the model's vocabulary lacks."""

    near = "near"
    """Mean of the rows of tokens that sound or look alike (Liu et al. 2023, "OFA")."""
    random = "random"


@dataclass(frozen=True, kw_only=True)
class AdaptConfig(RunConfig):
    """One run: adaptation of one model to one or several languages."""

    base: str = "embedded"
    """Base model: name, directory or hub id. It is not changed."""
    language: Any = None
    """ISO 639-3 code, or a list of codes."""
    method: Method = Method.adapter
    layers: list[int] = field(default_factory=list, metadata=within(Range(least=1)))
    """Encoder layers with an adapter behind them, from 1; empty: the upper half. The output of the layers below the
    lowest is computed once per batch and cached."""
    variants: int = ranged(2, least=1)
    """Number of epochs with different cuts and augmentation; later epochs repeat them in another order."""
    budget: float = ranged(BUDGET, above=0, most=1)
    """Parameter budget of a language, as a share of the model's parameters."""
    start: AdapterStart = AdapterStart.principal
    rows: AdapterRows = AdapterRows.near
    pseudo: str = ""
    """Manifest of pseudo-labelled utterances (`noisy_student.py`) to add to the training data."""
    hidden: float = ranged(0.0, least=0, below=1)
    """Share of the training transcripts to leave out as if they were unknown, for experiments."""

    @property
    def languages(self) -> list[str]:
        """Language codes in the given order.

        Raises:
            ConfigError: if there is none, one is not an ISO 639-3 code, or one is given twice.
        """
        given = [self.language] if isinstance(self.language, str) else list(self.language or [])
        if not given or len(set(given)) < len(given):
            raise ConfigError(f"language={self.language}", fix="Give one or several codes, e.g. language=[lad,gla].")
        for code in given:
            if resolve(code).code != code:
                raise ConfigError(f"language {code!r}", fix=f"Write {resolve(code).code!r} (ISO 639-3).")
        return given
