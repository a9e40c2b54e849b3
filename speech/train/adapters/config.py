"""Everything that the training of adapters can be told."""

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
    """What is trained behind, or of, a model."""

    adapter = "adapter"
    """A language-dependent adapter for each language."""
    lora = "lora"
    """Low-rank changes of queries and values for each language, by peft (extra `lora`), to compare with."""
    whole = "whole"
    """All parameters, for all languages together, to compare with."""


class AdapterStart(StrEnum):
    """Where the directions that a bottleneck looks at come from."""

    principal = "principal"
    """Those in which the frames of the language vary most (Paischer et al. 2024, "EVA")."""
    random = "random"


class AdapterRows(StrEnum):
    """Where the rows of tokens come from that the model's vocabulary lacks."""

    near = "near"
    """Means of rows of tokens that sound or look alike (Liu et al. 2023, "OFA")."""
    random = "random"


@dataclass(frozen=True, kw_only=True)
class AdaptConfig(RunConfig):
    """One run: one or several languages behind one model."""

    base: str = "embedded"
    """The model: name, directory or hub id. It is not changed."""
    language: Any = None
    """ISO 639-3 code, or a list of codes."""
    method: Method = Method.adapter
    layers: list[int] = field(default_factory=list, metadata=within(Range(least=1)))
    """Encoder layers behind which adapters stand, from 1; empty: the upper half. What the layers below the lowest make
    of a batch is computed once."""
    variants: int = ranged(2, least=1)
    """Epochs that are cut and augmented differently; later ones are these again, in another order."""
    budget: float = ranged(BUDGET, above=0, most=1)
    """Parameters of a language, as a share of the model's."""
    start: AdapterStart = AdapterStart.principal
    rows: AdapterRows = AdapterRows.near
    pseudo: str = ""
    """Manifest of utterances that a teacher has transcribed (`noisy_student.py`), to be trained on too."""
    hidden: float = ranged(0.0, least=0, below=1)
    """Share of the transcripts that is left out, as if nobody had written them: for experiments."""

    @property
    def languages(self) -> list[str]:
        """Codes, in the order given.

        Raises:
            ConfigError: if none is given, one is no code, or one is there twice.
        """
        given = [self.language] if isinstance(self.language, str) else list(self.language or [])
        if not given or len(set(given)) < len(given):
            raise ConfigError(f"language={self.language}", fix="Give one or several codes, e.g. language=[lad,gla].")
        for code in given:
            if resolve(code).code != code:
                raise ConfigError(f"language {code!r}", fix=f"Write {resolve(code).code!r} (ISO 639-3).")
        return given
