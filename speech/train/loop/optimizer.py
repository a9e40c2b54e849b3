"""AdamW with slower lower layers, and the learning-rate schedule."""

from __future__ import annotations

import math
import re

import torch
from torch import nn

from speech.train.loop.config import OptimizerConfig

_ENCODER_LAYER = re.compile(r"encoder\.layers\.(\d+)\.")


def is_encoder(name: str) -> bool:
    """Whether a parameter is part of the pretrained encoder; the time reduction is trained with the heads."""
    return name.startswith("encoder.") and not name.startswith("encoder.reduction")


def rate_factor(name: str, layers: int, config: OptimizerConfig) -> float:
    """Learning-rate factor of the parameter `name` in a model with `layers` encoder layers."""
    if not is_encoder(name):
        return 1.0
    match = _ENCODER_LAYER.match(name)
    if match:
        depth = layers - 1 - int(match.group(1))
    else:
        depth = 0 if name.startswith("encoder.norm") else layers
    return float(config.encoder_lr * config.layer_decay**depth)


def build_optimizer(model: nn.Module, layers: int, config: OptimizerConfig) -> torch.optim.AdamW:
    """Build AdamW with a group per learning rate; no weight decay on vectors (biases, norms) and embeddings."""
    groups: dict[tuple[float, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decayed = parameter.dim() > 1 and not name.startswith("embed.")
            key = (rate_factor(name, layers, config), decayed, is_encoder(name))
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": config.lr * factor,
                "weight_decay": config.weight_decay if decayed else 0.0,
                "begins": config.heads_first if encoder else 0,
            }
            for (factor, decayed, encoder), parameters in groups.items()
        ],
        betas=(config.betas[0], config.betas[1]),
        eps=config.eps,
    )


def schedule_factor(step: int, max_steps: int, config: OptimizerConfig, begins: int = 0) -> float:
    """Factor on the peak learning rate at `step` (from 0), for parameters that are frozen before step `begins`."""
    if step < begins:
        return 0.0
    if step < begins + config.warmup:
        return (step - begins + 1) / config.warmup
    if config.inverse_sqrt:
        return math.sqrt(max(config.warmup, 1) / (step + 1))
    progress = min((step - config.warmup) / max(max_steps - config.warmup, 1), 1.0)
    return config.final + (1 - config.final) * 0.5 * (1 + math.cos(math.pi * progress))
