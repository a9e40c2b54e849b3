"""GFSQ against a formula in numpy, its codes both ways, and its gradient."""

from itertools import product

import numpy as np
import pytest
import torch

from speech.errors import ConfigError
from speech.nn.codec.gfsq import Gfsq, GfsqConfig
from speech.nn.codec.quantized import Quantized

LEVELS = [8, 5, 5, 5]


def gfsq(dim: int = 32, **settings: object) -> Gfsq:
    torch.manual_seed(0)
    return Gfsq(dim, GfsqConfig(**({"groups": 4, "levels": LEVELS} | settings)))


def by_numpy(x: np.ndarray, quantizer: Gfsq, levels: list[int], bounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames and codes by the definition, number by number."""
    weights = {name: value.detach().double().numpy() for name, value in quantizer.named_parameters()}
    groups, digits, width = weights["down"].shape
    frames, codes = np.zeros_like(x), np.zeros((groups, len(x)), int)
    for time, group in product(range(len(x)), range(groups)):
        part = slice(group * width, (group + 1) * width)
        z = weights["down"][group] @ x[time, part] + weights["down_bias"][group]
        values, basis = np.zeros(digits), 1
        for place, count in enumerate(levels):
            half = (count - 1) * 1.001 / 2
            offset = 0.5 if count % 2 == 0 else 0.0
            bounded = z[place]
            for _ in range(bounds):
                bounded = np.tanh(bounded + np.arctanh(offset / half)) * half - offset
            whole = np.rint(bounded)
            values[place] = whole / (count // 2)
            codes[group, time] += int(whole + count // 2) * basis
            basis *= count
        frames[time, part] = weights["up"][group] @ values + weights["up_bias"][group]
    return frames, codes


@pytest.mark.parametrize(("levels", "bounds"), [(LEVELS, 1), (LEVELS, 2), ([7, 4], 1), ([3], 1)])
def test_it_is_its_formula(levels, bounds):
    quantizer = gfsq(levels=levels, bounds=bounds)
    x = 3 * torch.randn(1, 200, 32)
    found = quantizer(x)
    frames, codes = by_numpy(x[0].double().numpy(), quantizer, levels, bounds)
    assert np.array_equal(found.codes[0].numpy(), codes)
    np.testing.assert_allclose(found.x[0].detach(), frames, atol=1e-5)
    assert len(np.unique(codes)) > min(np.prod(levels) // 2, 100)
    assert (quantizer.codebooks, quantizer.codebook_size) == (4, np.prod(levels))


def test_zero_is_the_middle_of_all_levels():
    quantizer = gfsq(bounds=2)
    with torch.no_grad():
        quantizer.down_bias.zero_()
    assert quantizer(torch.zeros(1, 1, 32)).codes.flatten().tolist() == [500] * 4  # 4 + 2 * 8 + 2 * 40 + 2 * 200


@torch.inference_mode()
def test_codes_give_the_frames_that_they_came_from():
    quantizer = gfsq()
    x, codes, loss = quantizer(2 * torch.randn(3, 50, 32))
    assert codes.shape == (3, 4, 50)
    assert codes.dtype == torch.int64
    assert float(loss) == 0.0
    torch.testing.assert_close(quantizer.decode(codes), x)


def test_every_code_has_digits_of_its_own():
    quantizer = gfsq()
    digits = quantizer.digits(torch.arange(1000).expand(1, 4, -1))[0, :, 0]
    assert [tuple(row) for row in digits.tolist()] == [row[::-1] for row in product(*map(range, LEVELS[::-1]))]
    assert torch.equal((digits * quantizer.basis).sum(dim=-1), torch.arange(1000))


def test_every_level_can_be_reached():
    quantizer = gfsq(dim=16)
    with torch.no_grad():
        quantizer.down.copy_(torch.eye(4).expand(4, -1, -1))
        quantizer.down_bias.zero_()
    z = torch.linspace(-20, 20, 20001)[None, :, None].expand(1, -1, 16)
    digits = quantizer.digits(quantizer(z).codes)
    for place, count in enumerate(LEVELS):
        assert digits[..., place].unique().tolist() == list(range(count))


def test_the_gradient_is_that_of_the_bounded_numbers():
    quantizer, x = gfsq(), torch.randn(1, 5, 32, dtype=torch.float32, requires_grad=True)
    weight = torch.randn(1, 5, 32)
    (found,) = torch.autograd.grad((quantizer(x).x * weight).sum(), x)
    z = quantizer._project(x)
    bounded = torch.tanh(z + quantizer.shift) * quantizer.reach - quantizer.offset
    (wanted,) = torch.autograd.grad((quantizer._restore(bounded) * weight).sum(), x)
    torch.testing.assert_close(found, wanted)
    assert bool(found.abs().sum() > 0)


def test_it_counts_in_float32_under_autocast():
    quantizer, x = gfsq(), torch.randn(1, 200, 32)
    plain = quantizer(x)
    with torch.autocast("cpu", torch.bfloat16):
        mixed: Quantized = quantizer(x)
    assert torch.equal(plain.codes, mixed.codes)
    torch.testing.assert_close(plain.x, mixed.x)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"no multiple of quantizer\.groups 4"):
        gfsq(dim=30)
    with pytest.raises(ConfigError, match=r"quantizer\.levels"):
        GfsqConfig(levels=[1])
    with pytest.raises(ConfigError, match=r"quantizer\.bounds 3"):
        GfsqConfig(bounds=3)
