"""LoRA (Hu et al. 2021) by peft for speech language models."""

from __future__ import annotations

from typing import Any

from speech.errors import ConfigError
from speech.extras import needs_extra
from speech.models.aligned_ar import AlignedAr
from speech.models.dual_ar import DualAr
from speech.train.speech_lm.config import LoraConfig

_LAYERS = r"(slow|fast)\..*\.(qkv|out|gate_up|down)"
"""Linear layers of both transformers that get updates."""


class LoraWrapping[M: DualAr | AlignedAr]:
    """Low-rank updates in a model whose own parameters are frozen.

    Args:
        model: changed in place.
        config: rank and scale.

    Raises:
        ConfigError: if peft is not installed.
    """

    def __init__(self, model: M, config: LoraConfig) -> None:
        try:
            import peft
        except ModuleNotFoundError as error:
            raise ConfigError("LoRA needs peft", fix=needs_extra("lora")) from error
        model.requires_grad_(False)
        updates = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=_LAYERS)
        self._wrapped: Any = peft.get_peft_model(model, updates)

    def merged(self) -> M:
        """The model with its updates added to its weights; it has the parameters that it had before."""
        model: M = self._wrapped.merge_and_unload()
        model.requires_grad_(True)
        return model
