"""The decoder: text and curves become samples, row by row."""

import torch

from speech.nn.kokoro.decoder import StyleDecoder, StyleDecoderConfig
from speech.nn.kokoro.generator import GeneratorConfig
from speech.nn.kokoro.harmonic_source import HARMONICS
from tests.nn.kokoro.rows import LENGTHS, STYLE_DIM, check_rows, rows, styles, well_conditioned

GENERATOR = GeneratorConfig(
    channels=8, rates=[2, 3], kernels=[4, 7], block_kernels=[3], dilations=[1, 2], n_fft=8, hop=2
)


@torch.no_grad()
def test_samples_are_those_of_a_row_alone():
    torch.manual_seed(0)
    config = StyleDecoderConfig(dim=10, blocks=3, text_dim=3)
    decoder = StyleDecoder(6, STYLE_DIM, 24000, config, GENERATOR)
    assert decoder.frame_samples == 24
    well_conditioned(decoder.generator.stft)
    x, lengths = rows(6)
    inside = torch.arange(14) < 2 * lengths[:, None]
    pitch, energy = torch.rand(3, 14) * 100 * inside, torch.rand(3, 14) * inside
    noise, text = torch.randn(3, 7 * 24, HARMONICS), x.transpose(1, 2)
    found = decoder(text, pitch, energy, styles(), lengths, noise)
    assert found.shape == (3, 7 * 24)

    def alone(n, louder=1.0):
        one, own = slice(n, n + 1), LENGTHS[n]
        curves = pitch[one, : 2 * own], louder * energy[one, : 2 * own]
        return decoder(text[one, :own], *curves, styles()[one], lengths[one], noise[one, : own * 24])

    check_rows(found, alone, atol=1e-4)
    assert (alone(0) - alone(0, louder=3.0)).abs().max() > 1e-3
