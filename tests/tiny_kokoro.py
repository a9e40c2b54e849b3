"""A Kokoro of random weights that is built and run in milliseconds."""

import torch

from speech.models.kokoro import Kokoro, KokoroConfig
from speech.nn.kokoro.albert import AlbertConfig
from speech.nn.kokoro.decoder import StyleDecoderConfig
from speech.nn.kokoro.generator import GeneratorConfig


def tiny_kokoro_config() -> KokoroConfig:
    return KokoroConfig(
        symbols=24,
        dim=12,
        style_dim=4,
        layers=2,
        kernel=3,
        max_duration=6,
        albert=AlbertConfig(embedding=6, dim=8, heads=2, hidden=10, layers=3, positions=20),
        decoder=StyleDecoderConfig(dim=10, blocks=3, text_dim=3),
        generator=GeneratorConfig(
            channels=8, rates=[2, 3], kernels=[4, 7], block_kernels=[3, 5], dilations=[1, 2], n_fft=8, hop=2
        ),
    )


def tiny_kokoro() -> Kokoro:
    """Its voice is about 200 Hz; symbols take two frames or so."""
    torch.manual_seed(0)
    model = tiny_kokoro_config().build().eval()
    with torch.no_grad():
        model.prosody.pitch.out.bias.fill_(200)
        model.prosody.pitch.out.weight.mul_(50)
        model.prosody.duration.weight.mul_(4)
        model.prosody.duration.bias.fill_(-0.7)
    return model


def tiny_style(seed: int = 0) -> torch.Tensor:
    return torch.randn(8, generator=torch.Generator().manual_seed(seed))
