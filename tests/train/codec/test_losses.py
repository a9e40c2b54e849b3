"""Spectral losses against a formula in numpy, and where they are zero."""

import numpy as np
import pytest
import torch

from speech.audio.log_mel import mel_filters
from speech.train.codec.losses import SpectralLosses

RATE = 16000


def magnitudes(samples: np.ndarray, n_fft: int) -> np.ndarray:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    hop, padded = n_fft // 4, np.pad(samples, ((0, 0), (n_fft // 2, n_fft // 2)))
    frames = [padded[:, start : start + n_fft] * window for start in range(0, padded.shape[1] - n_fft + 1, hop)]
    return np.maximum(np.abs(np.fft.rfft(np.stack(frames, axis=1))), 1e-4)


def test_they_are_their_formulas():
    rng = np.random.default_rng(0)
    made, wanted = rng.standard_normal((2, 2, 1000)) * [[[0.1], [0.01]]]
    mel, stft = [], []
    for n_fft, count in ((64, 8), (256, 20)):
        ours, theirs = magnitudes(made, n_fft), magnitudes(wanted, n_fft)
        filters = mel_filters(n_fft, count, RATE)
        mels = [np.log(np.maximum(x @ filters, 1e-5)) for x in (ours, theirs)]
        mel.append(np.abs(mels[0] - mels[1]).mean())
        logs = [np.log(np.maximum(x, 1e-3)) for x in (ours, theirs)]
        stft.append(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) + np.abs(logs[0] - logs[1]).mean())
    losses = SpectralLosses(RATE, [64, 256], [8, 20])
    found = losses(torch.from_numpy(made), torch.from_numpy(wanted))
    assert float(found.mel) == pytest.approx(np.mean(mel), rel=1e-3)
    assert float(found.stft) == pytest.approx(np.mean(stft), rel=1e-3)


def test_equal_audio_loses_nothing_and_silence_has_a_gradient():
    losses, samples = SpectralLosses(RATE, [64, 256], [8, 20]), torch.randn(2, 900)
    found = losses(samples, samples)
    assert (float(found.mel), float(found.stft)) == (0.0, 0.0)
    silent = torch.zeros(2, 900, requires_grad=True)
    for value in losses(silent + 0.0, samples):
        (gradient,) = torch.autograd.grad(value, silent, retain_graph=True)
        assert bool(gradient.isfinite().all())
    for value in losses(samples.requires_grad_(), torch.zeros(2, 900)):
        assert bool(torch.autograd.grad(value, samples, retain_graph=True)[0].isfinite().all())


def test_they_are_computed_in_float32_under_autocast():
    losses, made, wanted = SpectralLosses(RATE, [64], [8]), torch.randn(1, 500), torch.randn(1, 500)
    with torch.autocast("cpu", torch.bfloat16):
        found = losses(made.bfloat16(), wanted)
    torch.testing.assert_close(found.mel, losses(made.bfloat16().float(), wanted).mel)


def test_no_table_is_stored():
    assert not SpectralLosses(RATE, [64, 256], [8, 20]).state_dict()
