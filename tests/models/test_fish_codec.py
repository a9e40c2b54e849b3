"""Firefly: whole and in pieces the same, alone and in a batch the same, and its size."""

import pytest
import torch

from speech.errors import AudioError, ConfigError
from speech.models.fish_codec import FishCodecConfig
from speech.models.importers.fish_codec import build_fish_codec
from speech.models.storage import without_memory
from speech.nn.codec.hifi_gan import HifiGanConfig
from tests.nn.codec.pieces import cut, stepped
from tests.published_fish import CODEC, codec_tensors


@pytest.fixture(scope="module")
def codec():
    return build_fish_codec(codec_tensors(), CODEC, "codec.pth")


def codes(frames: int, rows: int = 1) -> torch.Tensor:
    return torch.randint(0, 1000, (rows, 3, frames), generator=torch.Generator().manual_seed(frames))


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_of_codes_gives_the_samples_of_the_whole(codec, seed):
    given = codes(75)  # more than are decoded at once
    whole, _ = codec.decode(given, torch.tensor([75]))
    pieces = [piece.transpose(1, 2) for piece in cut(given.transpose(1, 2), seed, longest=9)]
    found = stepped(codec.decode_step, codec.init_decoder(1), pieces)
    assert [len(piece[0]) for piece in found] == [64 * piece.shape[2] for piece in pieces]
    torch.testing.assert_close(torch.cat(found, dim=1), whole, atol=1e-5, rtol=0)
    assert whole.std() > 0.05


def test_later_codes_change_no_earlier_sample(codec):
    given = codes(20)
    other = given.clone()
    other[..., 12:] = 0
    first, second = (codec.decode(x, torch.tensor([20]))[0] for x in (given, other))
    assert torch.equal(first[:, : 12 * 64], second[:, : 12 * 64])
    assert not torch.allclose(first[:, 12 * 64 : 13 * 64], second[:, 12 * 64 : 13 * 64])


def test_rows_of_a_batch_are_what_they_are_alone(codec):
    given, lengths = codes(40, rows=2), torch.tensor([40, 13])
    samples, ends = codec.decode(given, lengths)
    assert ends.tolist() == [2560, 832]
    alone, _ = codec.decode(given[1:, :, :13], lengths[1:])
    torch.testing.assert_close(samples[1, :832], alone[0], atol=1e-5, rtol=0)
    assert not samples[1, 832:].any()
    heard, frames = codec.encode(samples, ends)
    apart, own = codec.encode(alone, ends[1:])
    assert frames.tolist() == [40, *own.tolist()] == [40, 13]
    assert torch.equal(heard[1, :, :13], apart[0])


def test_its_facts(codec):
    assert (codec.sample_rate, codec.frame_samples, codec.frame_s) == (8000, 64, 0.008)
    assert (codec.codebooks, codec.codebook_size, codec.delay_samples) == (3, 1000, 0)
    assert codec.device == torch.device("cpu")
    assert codec.dtype == torch.float32
    samples, ends = codec.decode(codes(0), torch.tensor([0]))
    assert samples.shape == (1, 0)
    assert ends.tolist() == [0]


def test_the_published_shape_has_the_published_size():
    """47,065,218 parameters in the published form. Here the lengths of weight normalisation are fused, and the biases
    of transposed convolutions are repeated."""
    config = FishCodecConfig()
    with without_memory():
        codec = config.build()
    widths, rates, factors = [256, 128, 64, 32, 16], config.hifi_gan.rates, config.factors
    lengths = 512 + 2 * sum(widths) + 1 + 3 * 3 * 2 * sum(widths)
    repeated = sum((rate - 1) * width for rate, width in zip(rates, widths, strict=True))
    repeated += sum((factor - 1) * 512 for factor in factors)
    assert codec.parameter_count == 47_065_218 - lengths + repeated
    assert (codec.sample_rate, codec.frame_samples) == (44100, 2048)
    assert codec.frame_s == pytest.approx(1 / 21.533, abs=1e-5)


def test_what_is_too_short_is_refused(codec):
    with pytest.raises(AudioError, match=r"24 samples, expected more than 24\. Give some seconds"):
        codec.encode(torch.zeros(1, 24), torch.tensor([24]))
    assert codec.encode(torch.zeros(1, 25), torch.tensor([25]))[1].tolist() == [1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_fft": 2049}, "n_fft 2049, hop 512"),
        ({"dims": [8, 8]}, "4 depths, 2 dims"),
        ({"hop": 256}, r"hop 256, model\.hifi_gan\.rates"),
        ({"hifi_gan": HifiGanConfig(rates=[2])}, r"rates \[2\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        FishCodecConfig(**wrong)
