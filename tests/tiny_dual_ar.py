"""A speech language model of random weights that is built and run in milliseconds."""

from typing import Any

import torch

from speech.models.dual_ar import DualAr, DualArConfig
from speech.nn.speech_lm.codebook_heads import FastConfig
from speech.nn.speech_lm.transformer import TransformerConfig
from speech.text.speech_vocabulary import SpeechVocabulary, TextUnit

SLOW: dict[str, Any] = {"dim": 16, "layers": 2, "heads": 4, "kv_heads": 2, "hidden": 24}
FAST: dict[str, Any] = {"dim": 12, "layers": 2, "heads": 2, "kv_heads": 1, "hidden": 16}
SHAPE: dict[str, Any] = {"codebooks": 2, "codebook_size": 12, "frame_s": 0.01, "positions": 96, "max_frames": 32}
LANGUAGES = ("deu", "eng")


def tiny_dual_ar_config(
    *, fast: dict[str, Any] | None = None, slow: dict[str, Any] | None = None, **more: Any
) -> DualArConfig:
    inner = {"slow": TransformerConfig(**SLOW | (slow or {})), "fast": FastConfig(**FAST | (fast or {}))}
    return DualArConfig(**SHAPE | more, **inner)


def tiny_vocabulary(config: DualArConfig) -> SpeechVocabulary:
    return SpeechVocabulary.of(TextUnit.bytes, LANGUAGES, [], config.frame_tokens)


def tiny_dual_ar(config: DualArConfig | None = None, seed: int = 0) -> DualAr:
    """With weights that are large enough for its scores to differ."""
    config = config or tiny_dual_ar_config()
    torch.manual_seed(seed)
    model = config.build(tiny_vocabulary(config).layout).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2.5)
    return model
