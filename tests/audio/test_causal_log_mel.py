"""Log-mel without look-ahead: what a frame sees, and that streams see the same."""

import numpy as np
import pytest
import torch

from speech.audio.causal_log_mel import CausalLogMel
from speech.audio.log_mel import mel_filters
from tests.nn.codec.pieces import cut

RATE, N_FFT, HOP, N_MELS = 24000, 1120, 280, 100


@pytest.fixture(scope="module")
def log_mel() -> CausalLogMel:
    return CausalLogMel(RATE, N_FFT, HOP, N_MELS)


def test_a_frame_is_the_mel_magnitude_of_the_window_that_ends_with_it(log_mel):
    samples = np.random.default_rng(0).standard_normal(3 * HOP + 17).astype(np.float32)
    found = log_mel(torch.from_numpy(samples)[None])
    assert found.shape == (1, 3, N_MELS)
    padded = np.concatenate([np.zeros(N_FFT - HOP), samples])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    for frame in range(3):
        magnitude = np.abs(np.fft.rfft(padded[frame * HOP :][:N_FFT] * window))
        wanted = np.log(np.maximum(magnitude @ mel_filters(N_FFT, N_MELS, RATE), 1e-5))
        np.testing.assert_allclose(found[0, frame], wanted, atol=1e-3)


def test_filters_reach_to_half_of_the_sample_rate():
    filters = mel_filters(N_FFT, N_MELS, RATE)
    assert filters.shape == (N_FFT // 2 + 1, N_MELS)
    highest = np.flatnonzero(filters[:, -1]).max() * RATE / N_FFT
    assert RATE / 2 - 2 * RATE / N_FFT < highest < RATE / 2
    assert np.array_equal(mel_filters(512, 80), mel_filters(512, 80, 16000))


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_length_give_the_frames_of_the_whole(log_mel, seed):
    samples = torch.randn(2, 2500, generator=torch.Generator().manual_seed(seed))
    state, found = log_mel.begin(2), []
    for piece in cut(samples, seed, longest=700):
        frames, state = log_mel.step(piece, state)
        found.append(frames)
    torch.testing.assert_close(torch.cat(found, dim=1), log_mel(samples))
    assert state.shape[1] < N_FFT


def test_silence_is_the_floor(log_mel):
    assert torch.allclose(log_mel(torch.zeros(1, HOP)), torch.full((1, 1, N_MELS), 1e-5).log())
