"""A label decoder of random weights, and what it can be given."""

import torch

from speech.nn.decoder.label import LabelDecoder, LabelDecoderConfig


def random_decoder(config: LabelDecoderConfig, scale: float) -> LabelDecoder:
    torch.manual_seed(0)
    decoder = LabelDecoder(config).eval()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn_like(parameter) * scale)
    return decoder


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens_below(vocabulary: int, rows: int, count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, vocabulary, (rows, count), generator=torch.Generator().manual_seed(seed))
