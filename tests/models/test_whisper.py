"""Whisper at true length: an utterance is heard alone, whatever its batch mates. Parity is in tests/parity."""

import pytest
import torch

from speech.errors import ConfigError
from speech.models.whisper import Whisper, WhisperConfig
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from tests.tiny_whisper import tiny_whisper

CLOSE = {"atol": 1e-4, "rtol": 1e-4}
LENGTHS = [16000, 9700, 3210]
TOKENS = torch.tensor([[257, 258, 262, 266, 70], [257, 259, 262, 266, 80], [257, 260, 262, 266, 90]])


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return tiny_whisper()


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.randn(3, max(LENGTHS), generator=torch.Generator().manual_seed(0)) * 0.1


@torch.no_grad()
def test_each_utterance_of_a_batch_is_heard_as_if_alone(whisper, samples):
    logits = whisper(samples, torch.tensor(LENGTHS), TOKENS)
    for row, length in enumerate(LENGTHS):
        alone = whisper(samples[row : row + 1, :length], torch.tensor([length]), TOKENS[row : row + 1])
        torch.testing.assert_close(logits[row], alone[0], **CLOSE)


@torch.no_grad()
def test_frames_end_where_the_audio_does(whisper, samples):
    frames, lengths = whisper.encode(samples, torch.tensor(LENGTHS))
    assert frames.shape == (3, 50, 32)
    assert lengths.tolist() == [50, 30, 10]
    assert whisper.frame_s == 0.02


@torch.no_grad()
def test_steps_give_the_logits_of_the_whole(whisper, samples):
    frames, lengths = whisper.encode(samples, torch.tensor(LENGTHS))
    state, found = whisper.begin(frames, lengths), []
    for token in TOKENS.split(1, dim=1):
        x, state, _ = whisper.step(token, state)
        found.append(whisper.logits(x))
    torch.testing.assert_close(torch.cat(found, dim=1), whisper(samples, torch.tensor(LENGTHS), TOKENS), **CLOSE)


@torch.no_grad()
def test_a_moment_of_audio_is_enough(whisper):
    frames, lengths = whisper.encode(torch.zeros(1, 1), torch.tensor([1]))
    assert lengths.tolist() == [1]
    assert frames.isfinite().all()


def test_encoder_and_decoder_are_equally_wide():
    with pytest.raises(ConfigError, match="encoder of width 32, decoder of 16"):
        WhisperConfig(encoder=WhisperEncoderConfig(dim=32), decoder=LabelDecoderConfig(dim=16))
