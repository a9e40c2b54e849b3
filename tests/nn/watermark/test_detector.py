"""The detector: what it finds before any training, its delay, and that streams are heard as the whole is."""

import pytest
import torch

from speech.nn.watermark.detector import WatermarkDetector
from tests.nn.codec.pieces import cut
from tests.nn.watermark.test_generator import bits, speechlike
from tests.tiny_watermark import tiny_watermark


@pytest.fixture(scope="module")
def detector():
    return tiny_watermark().detector


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_length_are_heard_as_the_whole(detector, seed):
    samples = speechlike(2960, seed)
    ending = torch.zeros(2, detector.delay_frames * 80)
    state, found = detector.begin(2), []
    for piece in cut(torch.cat([samples, ending], dim=1), seed, longest=400):
        heard, state = detector.step(piece, state)
        found.append(heard)
    whole = detector(samples)
    assert whole.presence.shape == (2, 37)
    assert whole.bits.shape == (2, 37, 16)
    for own, wanted in zip(zip(*found, strict=True), whole, strict=True):
        joined = torch.cat(own, dim=1)[:, detector.delay_frames :]
        torch.testing.assert_close(joined, wanted, atol=2e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_part_of_a_hop_has_a_frame(detector):
    assert detector(speechlike(2961)).presence.shape == (2, 38)


@torch.inference_mode()
def test_bits_are_read_before_any_training_wherever_the_audio_is_cut():
    """Codes match, so that training begins with a mark that is found: noise of four seconds, marks of .6 dB."""
    made = tiny_watermark(bands=64)
    torch.nn.init.zeros_(made.generator.decided.weight)
    samples, wanted = speechlike(32000, batch=8), bits(8)
    marked = made.generator(samples, wanted)
    for start in (0, 777, 1500):
        found = made.detector(marked[:, start:]).bits.mean(1) > 0
        assert (found == wanted.bool()).float().mean() > 0.75
    unmarked = made.detector(samples).bits.mean(1) > 0
    assert 0.3 < (unmarked == wanted.bool()).float().mean() < 0.7


@torch.inference_mode()
def test_loudness_does_not_matter(detector):
    samples = speechlike(2400)
    quiet, loud = detector(samples), detector(3 * samples)
    torch.testing.assert_close(quiet.presence[:, 5:20], loud.presence[:, 5:20], atol=1e-2, rtol=1e-2)


def test_everything_is_trained():
    made = tiny_watermark().detector
    found = made(speechlike(1500))
    (found.presence.mean() + found.bits.square().mean()).backward()
    assert all(p.grad is not None for p in made.parameters())


def test_too_few_channels_are_refused():
    with pytest.raises(ValueError, match="60 channels, expected 68 or more for 16 bits"):
        WatermarkDetector(8000, 320, 80, 40, bits=16, period=6, dim=60, layers=1, kernel=3, span=8, delay_frames=4)
