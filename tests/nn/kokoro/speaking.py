"""A small decoder, what it reads, and its samples with normalisations by known statistics, layer by layer as it is."""

import torch
from torch import Tensor, nn

from speech.nn.kokoro.decoder import StyleDecoder, StyleDecoderConfig
from speech.nn.kokoro.generator import GeneratorConfig
from speech.nn.kokoro.harmonic_source import NoiseRow
from speech.nn.kokoro.norm_statistics import NormStatistics, norms_of
from speech.nn.kokoro.windowed_decoder import DecoderInput

DIM, STYLE_DIM = 6, 4
GENERATOR = GeneratorConfig(
    channels=8, rates=[2, 3], kernels=[4, 7], block_kernels=[3, 5], dilations=[1, 2], n_fft=8, hop=2
)


def tiny_decoder() -> StyleDecoder:
    torch.manual_seed(0)
    decoder = StyleDecoder(DIM, STYLE_DIM, 24000, StyleDecoderConfig(dim=10, blocks=3, text_dim=3), GENERATOR).eval()
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if "alphas" in name:
                parameter.uniform_(0.5, 2.0)
    return decoder


def tiny_utterance(frames: int, seed: int) -> DecoderInput:
    random = torch.Generator().manual_seed(seed)
    pitch = 150 + 100 * torch.rand(2 * frames, generator=random)
    pitch[2 * frames // 3 : frames] = 0
    return DecoderInput(
        torch.randn(frames, DIM, generator=random),
        pitch,
        torch.rand(2 * frames, generator=random),
        NoiseRow(seed, frames * 24),
    )


def tiny_style(seed: int = 5) -> Tensor:
    return torch.randn(STYLE_DIM, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def whole(decoder: StyleDecoder, utterance: DecoderInput, statistics: NormStatistics | None = None) -> Tensor:
    """Samples of an utterance at once; with statistics, each normalisation is replaced by what it does with these."""
    handles, place = [], 0
    for norm in norms_of(decoder) if statistics is not None else ():
        channels = norm.linear.out_features // 2
        mean, variance = (
            x[place : place + channels, None]
            for x in (statistics.means, statistics.variances)  # type: ignore[union-attr]
        )
        place += channels

        def fixed(own: nn.Module, inputs: tuple[Tensor, ...], _: Tensor, mean=mean, variance=variance) -> Tensor:
            scale, shift = own.linear(inputs[1])[..., None].chunk(2, dim=1)
            return (1 + scale) * (inputs[0] - mean) / (variance + 1e-5).sqrt() + shift

        handles.append(norm.register_forward_hook(fixed))
    frames = torch.tensor([len(utterance.text)])
    parts = (utterance.text[None], utterance.pitch[None], utterance.energy[None], tiny_style()[None])
    noise = None if utterance.noise is None else utterance.noise(0, 24 * len(utterance.text))[None]
    samples = decoder(*parts, frames, noise)[0]
    for handle in handles:
        handle.remove()
    return samples
