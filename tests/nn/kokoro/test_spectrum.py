"""Spectra and samples are those of torch's own transforms, row by row."""

import torch

from speech.nn.kokoro.spectrum import CentredStft
from tests.nn.kokoro.rows import LENGTHS, check_rows

N_FFT, HOP = 20, 5


def theirs(samples):
    return torch.stft(samples, N_FFT, HOP, window=torch.hann_window(N_FFT), return_complex=True)


def test_spectra_are_those_of_torch():
    samples = torch.randn(3, 7 * HOP * 3, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor(LENGTHS) * HOP * 3
    found = CentredStft(N_FFT, HOP)(samples, lengths)
    assert found.shape == (3, N_FFT + 2, 22)

    def alone(n):
        spectra = theirs(samples[n : n + 1, : lengths[n]])
        return torch.cat([spectra.abs(), spectra.angle()], dim=1)

    bins = N_FFT // 2 + 1
    check_rows(found[:, :bins], lambda n: alone(n)[:, :bins])
    # of phases only the direction counts; those of real bins are 0 or pi
    check_rows(found[:, bins:].cos() * (found[:, :bins] > 0), lambda n: alone(n)[:, bins:].cos(), atol=1e-3)


def test_samples_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    magnitudes, phases = (torch.rand(3, N_FFT // 2 + 1, 7, generator=generator) for _ in range(2))
    lengths = torch.tensor(LENGTHS)
    found = CentredStft(N_FFT, HOP).inverse(magnitudes, phases, lengths)
    assert found.shape == (3, 6 * HOP)

    def alone(n):
        spectra = torch.polar(magnitudes, phases)[n : n + 1, :, : LENGTHS[n]]
        return torch.istft(spectra, N_FFT, HOP, window=torch.hann_window(N_FFT))

    check_rows(found, alone)


def test_samples_come_back():
    samples = torch.randn(1, 60, generator=torch.Generator().manual_seed(0))
    stft, length = CentredStft(N_FFT, HOP), torch.tensor([60])
    magnitudes, phases = stft(samples, length).chunk(2, dim=1)
    torch.testing.assert_close(stft.inverse(magnitudes, phases, length // HOP + 1), samples, atol=1e-5, rtol=1e-5)
