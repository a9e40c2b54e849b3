"""A codec of random weights that is built and run in milliseconds."""

from typing import Any

import torch

from speech.models.codec import CodecConfig, DecoderHead, NeuralCodec
from speech.nn.codec.gfsq import GfsqConfig
from speech.nn.codec.hifi_gan import HifiGanConfig

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


def tiny_codec_config(head: DecoderHead = DecoderHead.istft) -> CodecConfig:
    rates = HifiGanConfig(channels=8, rates=[5, 8], kernels=[3], dilations=[1, 2])
    return CodecConfig(**SHAPE, quantizer=GfsqConfig(**QUANTIZER), head=head, hifi_gan=rates)


def tiny_codec(head: DecoderHead = DecoderHead.istft) -> NeuralCodec:
    torch.manual_seed(0)
    return tiny_codec_config(head).build().eval()
