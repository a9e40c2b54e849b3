"""Parameters that are trained for some languages: adapters, LoRA, or the whole model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from torch import nn

from speech.models.adapters.file import AdapterFile, load_adapter, save_adapter
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.adapters import Adapter, AdapterBank
from speech.nn.ctc import CTCHead, ExtendedHead
from speech.nn.encoder.base import Tap
from speech.tensors import load_tensors, save_tensors

Scores = Mapping[str, float]


class Tuning(Protocol):
    """A fine-tuning method. Each batch has one language."""

    shared: bool
    """Whether all languages train the same parameters."""
    below: int
    """Number of lowest encoder layers whose output does not depend on trained parameters."""

    @property
    def trained(self) -> nn.Module:
        """Module whose parameters with `requires_grad` are trained."""

    def parameters_of(self, code: str) -> list[nn.Parameter]:
        """Parameters that a language trains."""

    def begin(self, code: str, rows: int) -> Tap | None:
        """Prepare for a batch of `rows` utterances in a language; returns the tap behind the layers, if any."""

    def head(self, code: str) -> CTCHead:
        """CTC head of a language."""

    def save(self, folder: Path, code: str, scores: Scores) -> None:
        """Save a language's parameters, atomically."""

    def load(self, folder: Path, code: str) -> None:
        """Load what `save` wrote."""


class AdapterTuning:
    """Adapters behind a frozen model.

    Args:
        model: base model; the constructor freezes it.
        adapters: one for each language.
        base: fingerprint of the model.
        cards: code -> card in Markdown.
    """

    shared = False

    def __init__(
        self, model: OwsmCtc, adapters: Mapping[str, Adapter], base: str, cards: Mapping[str, str] | None = None
    ) -> None:
        self.model, self.adapters, self.base, self.cards = model.requires_grad_(False), adapters, base, cards or {}
        self.modules = nn.ModuleDict(adapters)
        lowest = min(min(adapter.layers) for adapter in adapters.values())
        self.below, model.encoder.frozen = passed(model, lowest - 1), lowest

    @property
    def trained(self) -> nn.Module:
        return self.modules

    def parameters_of(self, code: str) -> list[nn.Parameter]:
        return list(self.adapters[code].parameters())

    def begin(self, code: str, rows: int) -> Tap | None:
        return AdapterBank({code: self.adapters[code]}).tap([{code: 1.0}] * rows)

    def head(self, code: str) -> CTCHead:
        adapter = self.adapters[code]
        return ExtendedHead(self.model.ctc, adapter.rows, adapter.rows_bias) if adapter.tokens else self.model.ctc

    def save(self, folder: Path, code: str, scores: Scores) -> None:
        item = AdapterFile(self.adapters[code], code, self.base, self.cards.get(code, ""), scores)
        save_adapter(folder / f"{code}.safetensors", item)

    def load(self, folder: Path, code: str) -> None:
        found = load_adapter(folder / f"{code}.safetensors", self.base)
        self.adapters[code].load_state_dict(found.adapter.state_dict())


class WholeTuning:
    """All parameters of a model, shared by all languages."""

    shared = True
    below = 0

    def __init__(self, model: OwsmCtc) -> None:
        self.model = model.requires_grad_(True)

    @property
    def trained(self) -> nn.Module:
        return self.model

    def parameters_of(self, code: str) -> list[nn.Parameter]:
        return list(self.model.parameters())

    def begin(self, code: str, rows: int) -> Tap | None:
        return None

    def head(self, code: str) -> CTCHead:
        return self.model.ctc

    def save(self, folder: Path, code: str, scores: Scores) -> None:
        path = folder / "model.safetensors"  # written once per step, for all languages
        if not path.exists():
            save_tensors(path, self.model.state_dict())

    def load(self, folder: Path, code: str) -> None:
        self.model.load_state_dict(load_tensors(folder / "model.safetensors"))


def passed(model: OwsmCtc, layers: int) -> int:
    """Number of the lowest `layers` whose output can be cached: only those below the time reduction."""
    reduced = model.encoder.reduce_after
    return min(layers, reduced - 1) if reduced else layers


def trained_parameters(tuning: Tuning, codes: Sequence[str]) -> int:
    """Number of parameters that one language trains."""
    return max(sum(p.numel() for p in tuning.parameters_of(code)) for code in codes)


def number_of(code: str) -> int:
    """Number of an ISO 639-3 code, from 0 to 26^3 - 1."""
    number = 0
    for letter in code:
        number = number * 26 + ord(letter) - ord("a")
    return number
