"""The causal STFT: what a frame sees, and that streams see the same."""

import numpy as np
import pytest
import torch

from speech.audio.causal_stft import CausalStft
from tests.nn.codec.pieces import cut

N_FFT, HOP = 96, 24


def test_a_frame_is_the_spectrum_of_the_window_that_ends_with_it():
    samples = np.random.default_rng(0).standard_normal(3 * HOP + 7).astype(np.float32)
    found = CausalStft(N_FFT, HOP)(torch.from_numpy(samples)[None])
    assert found.shape == (1, 3, N_FFT // 2 + 1)
    padded = np.concatenate([np.zeros(N_FFT - HOP), samples])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    for frame in range(3):
        np.testing.assert_allclose(found[0, frame], np.fft.rfft(padded[frame * HOP :][:N_FFT] * window), atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_any_length_give_the_frames_of_the_whole(seed):
    layer, samples = CausalStft(N_FFT, HOP), torch.randn(2, 700, generator=torch.Generator().manual_seed(seed))
    state, found = layer.begin(2), []
    for piece in cut(samples, seed, longest=60):
        frames, state = layer.step(piece, state)
        found.append(frames)
    torch.testing.assert_close(torch.cat(found, dim=1), layer(samples))
    assert state.shape[1] < N_FFT
