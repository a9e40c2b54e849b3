"""A codec of random weights that is built and run in milliseconds."""

from typing import Any

import torch

from speech.models.codec import CodecConfig, NeuralCodec
from speech.nn.codec.gfsq import GfsqConfig

QUANTIZER: dict[str, Any] = {"groups": 2, "levels": [4, 3]}
SHAPE: dict[str, Any] = {
    "sample_rate": 8000,
    "hop": 40,
    "n_fft": 160,
    "n_mels": 16,
    "factor": 2,
    "kernel": 3,
    "encoder_dim": 12,
    "encoder_layers": 2,
    "dim": 16,
    "layers": 1,
    "decoder_dim": 12,
    "decoder_layers": 2,
}


def tiny_codec_config() -> CodecConfig:
    return CodecConfig(**SHAPE, quantizer=GfsqConfig(**QUANTIZER))


def tiny_codec(seed: int = 0) -> NeuralCodec:
    torch.manual_seed(seed)
    return tiny_codec_config().build().eval()
