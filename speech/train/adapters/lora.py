"""LoRA (Hu et al. 2021) by peft, behind the interface of `tuning`, as a baseline for adapters.

Each language has its own low-rank updates of the queries and values of some layers. With `AdapterStart.principal` they
are initialised by peft's EVA (Paischer et al. 2024).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from speech.data.batches import SpeechBatch
from speech.errors import ConfigError
from speech.extras import needs_extra
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.ctc import CTCHead
from speech.nn.encoder.base import Tap
from speech.tensors import load_tensors, save_tensors
from speech.train.adapters.tuning import Scores, passed

_PROJECTIONS = ("query", "value")


def rank_for(parameters: int, dim: int, layers: int, budget: float) -> int:
    """Rank for a share `budget` of the model's `parameters`, in two projections of each of `layers` layers."""
    return max(round(budget * parameters / (layers * len(_PROJECTIONS) * 2 * dim)), 1)


class LoraTuning:
    """LoRA on a frozen model.

    Args:
        model: changed in place: its projections are wrapped.
        codes: language codes.
        layers: layer numbers, from 1.
        rank: rank of each update.
        shown: code -> batches for the EVA initialisation; other languages start at random.

    Raises:
        ConfigError: if peft is not installed.
    """

    shared = False

    def __init__(
        self,
        model: OwsmCtc,
        codes: Sequence[str],
        layers: Sequence[int],
        rank: int,
        shown: Mapping[str, Sequence[SpeechBatch]],
    ) -> None:
        try:
            import peft
        except ModuleNotFoundError as error:
            raise ConfigError("LoRA needs peft", fix=needs_extra("lora")) from error
        model.requires_grad_(False)
        names = "|".join(str(layer - 1) for layer in layers)
        targets = rf"encoder\.layers\.({names})\..*({'|'.join(_PROJECTIONS)})"

        def config(code: str) -> Any:
            eva: dict[str, Any] = (
                {"init_lora_weights": "eva", "eva_config": peft.EvaConfig(rho=1.0)} if code in shown else {}
            )
            return peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=targets, **eva)

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*low_cpu_mem_usage.*")
            self._wrapped = peft.get_peft_model(model, config(codes[0]), adapter_name=codes[0])
            for code in codes[1:]:
                self._wrapped.add_adapter(code, config(code))
        for code, batches in shown.items():
            peft.initialize_lora_eva_weights(
                self._wrapped,
                list(batches),
                forward_fn=lambda wrapped, batch: wrapped.get_base_model()(
                    *wrapped.get_base_model().features(batch.samples, batch.sample_lengths), batch.prefix
                ),
                prepare_model_inputs_fn=None,
                prepare_layer_inputs_fn=None,
                adapter_name=code,
                show_progress_bar=False,
            )
        self.model = model
        self._own = {code: _changes(model, code) for code in codes}
        self.below = passed(model, min(layers) - 1)
        model.encoder.frozen = min(layers) - 1
        self._all_learn()

    @property
    def trained(self) -> nn.Module:
        return self.model

    def parameters_of(self, code: str) -> list[nn.Parameter]:
        return list(self._own[code].values())

    def begin(self, code: str, rows: int) -> Tap | None:
        self._wrapped.set_adapter(code)
        self._all_learn()
        return None

    def _all_learn(self) -> None:
        """Enable gradients of all languages, since peft disables them for inactive adapters."""
        for own in self._own.values():
            for parameter in own.values():
                parameter.requires_grad_(True)

    def head(self, code: str) -> CTCHead:
        return self.model.ctc

    def save(self, folder: Path, code: str, scores: Scores) -> None:
        save_tensors(folder / f"{code}.safetensors", self._own[code])

    @torch.no_grad()
    def load(self, folder: Path, code: str) -> None:
        found = load_tensors(folder / f"{code}.safetensors")
        for name, parameter in self._own[code].items():
            parameter.copy_(found[name])


def _changes(model: OwsmCtc, code: str) -> dict[str, nn.Parameter]:
    """Parameters that peft added for a language."""
    return {name: p for name, p in model.named_parameters() if ".lora_" in name and f".{code}." in name}
