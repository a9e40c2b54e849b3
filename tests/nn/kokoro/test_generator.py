"""The generator: as many samples as frames say, and rows that do not see each other."""

import pytest
import torch

from speech.errors import ConfigError
from speech.nn.kokoro.generator import GeneratorConfig, IstftGenerator
from speech.nn.kokoro.harmonic_source import HARMONICS
from tests.nn.kokoro.rows import LENGTHS, STYLE_DIM, check_rows, rows, styles, well_conditioned

SHAPE = {"channels": 8, "block_kernels": [3, 5], "dilations": [1, 2], "n_fft": 8, "hop": 2}


@torch.no_grad()
@pytest.mark.parametrize(("rates", "kernels"), [([2, 3], [4, 7]), ([3, 2], [5, 4]), ([4], [8]), ([2, 2, 3], [4, 4, 5])])
def test_samples_are_those_of_a_row_alone(rates, kernels):
    torch.manual_seed(0)
    config = GeneratorConfig(**SHAPE, rates=rates, kernels=kernels)
    generator = IstftGenerator(config, STYLE_DIM, 24000)
    well_conditioned(generator.stft)
    x, lengths = rows(8)
    pitch = 150 + 100 * torch.rand(3, 7)
    pitch = torch.where(torch.arange(7) < lengths[:, None], pitch, 0)
    noise = torch.randn(3, 7 * config.frame_samples, HARMONICS)
    found = generator(x, styles(), pitch, lengths, noise)
    assert found.shape == (3, 7 * config.frame_samples)
    assert found.abs().max() > 1e-3

    def alone(n):
        own, one = LENGTHS[n], slice(n, n + 1)
        given = noise[one, : own * config.frame_samples]
        return generator(x[one, :, :own], styles()[one], pitch[one, :own], lengths[one], given)

    check_rows(found, alone, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rates": [2, 3], "kernels": [4]}, "as many kernels as rates"),
        ({"rates": [2, 3], "kernels": [4, 6]}, "larger by an even number"),
        ({"block_kernels": [4]}, "odd kernels of blocks"),
        ({"n_fft": 9}, "an even n_fft"),
        ({"channels": 6}, "halved 2 times"),
        ({"rates": [0, 3]}, "rates"),
    ],
)
def test_shapes_that_do_not_fit_are_named(change, message):
    with pytest.raises(ConfigError, match=message):
        GeneratorConfig(**change)
