"""The codec: whole and in steps the same, alone and in a batch the same, and what its Protocol says."""

import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from speech.errors import ConfigError
from speech.models.base import Codec
from speech.models.codec import CodecConfig, DecoderHead, NeuralCodec
from speech.models.precision import Precision, with_precision
from speech.nn.codec.gfsq import GfsqConfig
from speech.nn.cpu.int8 import int8_runs
from speech.nn.streaming import merge, select
from tests.nn.codec.pieces import cut, stepped
from tests.tiny_codec import tiny_codec

FRAME, DELAY = 80, 60
needs_kernels = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")


@pytest.fixture(scope="module")
def codec() -> NeuralCodec:
    return tiny_codec()


def noise(*lengths: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Samples padded with something that must not be heard."""
    generator = torch.Generator().manual_seed(seed)
    samples = 0.2 * torch.randn(len(lengths), max(lengths), generator=generator)
    counts = torch.tensor(lengths)
    return samples, counts


def test_it_has_what_the_protocol_names(codec):
    names = {name for name, _ in inspect.getmembers(Codec) if not name.startswith("_")}
    assert names <= {*dir(codec), *codec._modules}
    assert (codec.sample_rate, codec.frame_samples, codec.delay_samples) == (8000, FRAME, DELAY)
    assert (codec.codebooks, codec.codebook_size, codec.frame_s) == (2, 12, 0.01)
    assert codec.device == torch.device("cpu")
    assert codec.dtype == torch.float32
    assert codec.parameter_count == sum(p.numel() for p in codec.parameters())


def test_by_default_it_takes_24_khz_at_about_21_frames_of_8_codes():
    codec = CodecConfig().build()
    assert codec.sample_rate == 24000
    assert round(1 / codec.frame_s) == 21
    assert (codec.codebooks, codec.codebook_size) == (8, 1000)
    assert 1600 < codec.codebooks * math.log2(codec.codebook_size) / codec.frame_s < 2000
    assert 4e6 < codec.parameter_count < 10e6


@torch.inference_mode()
@pytest.mark.parametrize("length", [1, FRAME - DELAY, FRAME - DELAY + 1, 1000])
def test_what_is_decoded_covers_what_was_encoded(codec, length):
    codes, frames = codec.encode(*noise(length))
    assert int(frames) == codes.shape[2] == math.ceil((length + DELAY) / FRAME)
    samples, lengths = codec.decode(codes, frames)
    assert int(lengths) == samples.shape[1] == int(frames) * FRAME - DELAY >= length
    assert codec(*noise(length)).samples.shape == (1, length)


@torch.inference_mode()
def test_training_hears_what_is_encoded_and_decoded(codec):
    samples, lengths = noise(900, 640)
    made = codec(samples, lengths)
    codes, frames = codec.encode(samples, lengths)
    decoded, _ = codec.decode(codes, frames)
    for row, length in enumerate(lengths.tolist()):
        assert torch.equal(made.codes[row, :, : frames[row]], codes[row, :, : frames[row]])
        torch.testing.assert_close(made.samples[row, :length], decoded[row, :length])


@torch.inference_mode()
def test_batch_mates_and_padding_change_nothing(codec):
    samples, lengths = noise(1000, 333, 620)
    codes, frames = codec.encode(samples, lengths)
    decoded, ends = codec.decode(codes, frames)
    for row, length in enumerate(lengths.tolist()):
        alone, count = codec.encode(samples[row : row + 1, :length], lengths[row : row + 1])
        assert torch.equal(codes[row : row + 1, :, : int(count)], alone)
        assert not codes[row, :, int(count) :].any()
        own, end = codec.decode(alone, count)
        assert int(end) == int(ends[row])
        torch.testing.assert_close(decoded[row : row + 1, : int(end)], own)
        assert not decoded[row, int(end) :].any()


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(6))
def test_pieces_of_any_length_are_encoded_as_the_whole_is(codec, seed):
    samples, lengths = noise(1010, 1010, seed=seed)
    codes, frames = codec.encode(samples, lengths)
    ended = F.pad(samples, (0, int(frames[0]) * FRAME - 1010))
    found = stepped(codec.encode_step, codec.init_encoder(2), cut(ended, seed, longest=170))
    assert torch.equal(torch.cat(found, dim=2), codes)
    first = found[0].shape[2]
    assert first == cut(ended, seed, longest=170)[0].shape[1] // FRAME


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(6))
def test_pieces_of_any_length_are_decoded_as_the_whole_is(codec, seed):
    codes = torch.randint(0, 12, (2, 2, 17), generator=torch.Generator().manual_seed(seed))
    wanted, _ = codec.decode(codes, torch.tensor([17, 17]))
    pieces = [piece.transpose(1, 2) for piece in cut(codes.transpose(1, 2), seed, longest=4)]
    found = stepped(codec.decode_step, codec.init_decoder(2), pieces)
    assert [piece.shape[1] for piece in found] == [FRAME * piece.shape[2] for piece in pieces]
    torch.testing.assert_close(torch.cat(found, dim=1)[:, DELAY:], wanted, atol=1e-6, rtol=1e-4)


@torch.inference_mode()
def test_streams_of_different_age_share_a_batch(codec):
    codes = torch.randint(0, 12, (3, 2, 10), generator=torch.Generator().manual_seed(1))
    wanted, _ = codec.decode(codes, torch.full((3,), 10))
    old, state = codec.decode_step(codes[:1, :, :4], codec.init_decoder(1))
    state = merge([state, codec.init_decoder(2)])
    both, state = codec.decode_step(torch.cat([codes[:1, :, 4:8], codes[1:, :, :4]]), state)
    last, _ = codec.decode_step(codes[[2], :, 4:], select(state, [2]))
    torch.testing.assert_close(torch.cat([old, both[:1]], dim=1)[:, DELAY:], wanted[:1, : 8 * FRAME - DELAY])
    torch.testing.assert_close(torch.cat([both[2:], last], dim=1)[:, DELAY:], wanted[2:])
    state = merge([codec.init_encoder(1), codec.encode_step(noise(FRAME)[0], codec.init_encoder(1))[1]])
    assert codec.encode_step(noise(FRAME, FRAME)[0], state)[0].shape == (2, 2, 1)


def test_every_parameter_has_a_gradient():
    model = tiny_codec()
    made = model(*noise(800))
    made.samples.square().mean().backward()
    assert float(made.loss) == 0.0
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(3))
def test_a_hifi_gan_head_streams_too_and_without_delay(seed):
    codec = tiny_codec(DecoderHead.hifi_gan)
    assert codec.delay_samples == 0
    codes = torch.randint(0, 12, (2, 2, 17), generator=torch.Generator().manual_seed(seed))
    wanted, ends = codec.decode(codes, torch.tensor([17, 9]))
    assert ends.tolist() == [17 * FRAME, 9 * FRAME]
    pieces = [piece.transpose(1, 2) for piece in cut(codes.transpose(1, 2), seed, longest=4)]
    found = torch.cat(stepped(codec.decode_step, codec.init_decoder(2), pieces), dim=1)
    torch.testing.assert_close(found[:1], wanted[:1], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found[1:, : 9 * FRAME], wanted[1:, : 9 * FRAME], atol=1e-6, rtol=1e-4)
    assert codec(*noise(900)).samples.shape == (1, 900)


@torch.inference_mode()
def test_it_runs_in_bfloat16(codec):
    found = with_precision(codec, Precision.bfloat16)
    assert found.dtype == torch.bfloat16
    samples, lengths = noise(800)
    codes, frames = found.encode(samples, lengths)
    assert codes.dtype == torch.int64
    decoded, _ = found.decode(codes, frames)
    wanted, _ = codec.decode(codes, frames)
    assert decoded.dtype == torch.float32
    assert (decoded - wanted).abs().mean() < 0.1 * wanted.abs().mean()
    pieces = [codes[..., :3], codes[..., 3:]]
    stepwise = stepped(found.decode_step, found.init_decoder(1), pieces)
    torch.testing.assert_close(torch.cat(stepwise, dim=1)[:, DELAY:], decoded, atol=2e-3, rtol=2e-2)


@torch.inference_mode()
@pytest.mark.parametrize("precision", [Precision.float32, pytest.param(Precision.int8, marks=needs_kernels)])
def test_its_linear_layers_run_packed_and_in_eight_bits(precision):
    torch.manual_seed(0)
    codec = CodecConfig(dim=64, encoder_dim=64, decoder_dim=64).build().eval()
    found = with_precision(codec, precision)
    assert found.dtype == torch.float32
    assert found.parameter_count == codec.parameter_count
    codes = torch.randint(0, 1000, (1, 8, 6))
    wanted, made = (model.decode(codes, torch.tensor([6]))[0] for model in (codec, found))
    assert (made - wanted).abs().mean() < (0.2 if precision == Precision.int8 else 1e-4) * wanted.abs().mean()
    stepwise = stepped(found.decode_step, found.init_decoder(1), [codes[..., :2], codes[..., 2:]])
    difference = torch.cat(stepwise, dim=1)[:, found.delay_samples :] - made
    assert difference.abs().mean() < (0.1 if precision == Precision.int8 else 1e-4) * made.abs().mean()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_fft": 1000}, "n_fft 1000, hop 280"),
        ({"hop": 281, "n_fft": 562}, "n_fft 562, hop 281"),
        ({"dim": 250}, r"model\.dim 250, model\.quantizer\.groups 8"),
        ({"sample_rate": 100}, r"model\.sample_rate 100"),
        ({"head": DecoderHead.hifi_gan, "hop": 140}, r"hop 140, model\.hifi_gan\.rates \[7, 5, 4, 2\]"),
        ({"quantizer": GfsqConfig(groups=7)}, r"dim 256, model\.quantizer\.groups 7"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        CodecConfig(**changes)
