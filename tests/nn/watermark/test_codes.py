"""Spreading codes: of unit power, nearly orthogonal, and recovered by demodulation wherever one begins."""

import pytest
import torch

from speech.nn.watermark.codes import demodulating_taps, modulated, spread_codes


def test_codes_have_unit_power_and_are_nearly_orthogonal():
    codes = spread_codes(17, 64)
    products = codes @ codes.conj().T / 64
    torch.testing.assert_close(products.diagonal().real, torch.ones(17), atol=1e-5, rtol=0)
    others = products.abs() - torch.eye(17)
    assert others.max() < 0.5
    assert others.square().mean().sqrt() < 0.15
    assert torch.equal(codes, spread_codes(17, 64))


def test_neighbouring_bands_are_alike_as_another_speed_shifts_them():
    codes = spread_codes(17, 64)
    alike = (codes[:, 1:] * codes[:, :-1].conj()).real.mean()
    assert alike > 0.7


@pytest.mark.parametrize("start", range(6))
def test_demodulation_finds_amplitude_and_phase_wherever_it_begins(start):
    period, kernel = 6, 48
    wave = modulated(torch.tensor([[1.0 + 0.0j]]), period).flatten()  # cos(2 pi t / period)
    heard = wave.repeat(20)[start : start + kernel]
    cosine, sine = demodulating_taps(period, kernel)
    found = torch.complex(heard @ cosine, heard @ sine)
    newest = 2 * torch.pi * (start + kernel - 1) / period
    wanted = torch.polar(torch.tensor(1.0), torch.tensor(newest)) * found.abs()
    torch.testing.assert_close(found, wanted.to(found.dtype), atol=0.05, rtol=0)
    assert found.abs() > 2
    steady = torch.ones(kernel)
    assert (steady @ cosine).abs() < 0.05 * found.abs()
