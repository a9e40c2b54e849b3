"""Compact weights are near, small, and refused by name where they are damaged."""

import zlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speech.choices import Storage
from speech.errors import ModelError
from speech.models.compact import LEAST, SCALE, SHAPE, STEP, compacted, expanded
from speech.models.storage import load_weights, packed, save_weights, unpacked

FILES = {"model.safetensors": ""}
ROWS = 64
"""Of the layer under test; with its 64 columns it has more than `LEAST` numbers."""


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def there_and_back(value: Tensor) -> tuple[Tensor, Tensor]:
    """What comes back, and the steps `(rows,)`."""
    parts = compacted(value)
    return expanded(parts[""], parts[SCALE], parts[SHAPE], "w", "file"), parts[SCALE].float()


def check(value: Tensor) -> None:
    found, step = there_and_back(value)
    assert found.shape == value.shape
    assert found.dtype == torch.float32
    error = (found - value).flatten(1).abs().amax(dim=1)
    assert bool((error <= step * 0.50001).all())


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    rows=st.integers(1, 40),
    zero=st.integers(0, 39),
    outlier=st.sampled_from([0.0, 1.0, 30.0, 1e3, 1e6]),
    size=st.sampled_from([1e-38, 1e-9, 1e-4, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_no_number_is_off_by_more_than_half_a_step(shape, rows, zero, outlier, size, seed):
    value = gaussian(rows, -(-LEAST // rows), *shape, seed=seed)
    value[0] *= size
    value[zero % rows] = 0
    value[-1].view(-1)[seed] += outlier
    check(value)
    found, _ = there_and_back(value)
    if not value[zero % rows].any():
        assert not found[zero % rows].any()


def test_an_outlier_in_a_long_row_is_not_cut_off():
    value = gaussian(2, 10_000)
    value[1, 7] = 1e6
    found, step = there_and_back(value)
    assert abs(found[1, 7] - 1e6) <= step[1] / 2
    assert abs(step[0] - STEP * value[0].square().mean().sqrt()) < 1e-3


def test_normal_weights_take_less_than_four_bits_and_a_fifth():
    parts = compacted(gaussian(512, 512))
    bits = sum(part.numel() * part.element_size() for part in parts.values()) * 8
    assert 3 < bits / 512**2 < 4.2


def test_small_tensors_are_float16_where_that_keeps_them():
    for value in (gaussian(9), gaussian(8, 8), gaussian(LEAST + 1), torch.zeros(3), torch.zeros(0), torch.zeros(0, 4)):
        parts = compacted(value)
        assert set(parts) == {""}
        assert parts[""].dtype == torch.float16
        torch.testing.assert_close(parts[""].float(), value, atol=0, rtol=1e-3)
    for value in (torch.tensor([1e5, 1.0]), torch.tensor([1e-9, 2e-9]), torch.full((2, 2), 7e4)):
        assert torch.equal(compacted(value)[""], value)


def test_integers_stay_exact():
    index = torch.arange(5000).view(50, 100)
    found = unpacked(packed({"index": index, "step": torch.tensor(70_001)}, Storage.compact), (), "file")
    assert torch.equal(found["index"].long(), index)
    assert found["step"].item() == 70_001


@pytest.fixture
def saved(tmp_path):
    save_weights(tmp_path, FILES, nn.Linear(64, ROWS), Storage.compact, tmp_path)
    return tmp_path


def read(folder) -> nn.Linear:
    model = nn.Linear(64, ROWS)
    load_weights(model, folder, FILES, as_stored=True)
    return model


def test_a_layer_is_float32_even_where_others_stay_as_they_are_stored(saved):
    tensors = load_file(saved / "model.safetensors")
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {
        "weight": torch.uint8, "weight.scale": torch.float16, "weight.shape": torch.int64, "bias": torch.float16,
    }  # fmt: skip
    model = read(saved)
    assert model.weight.dtype == model.bias.dtype == torch.float32
    assert not model.weight.requires_grad


def bytes_of(*parts: bytes) -> Tensor:
    return torch.tensor(list(b"".join(parts)), dtype=torch.uint8)


def test_what_is_damaged_is_named_with_its_file(saved):
    path = saved / "model.safetensors"
    tensors = load_file(path)
    whole = tensors["weight"]
    flipped = whole.clone()
    flipped[len(whole) // 2] ^= 4
    one = torch.tensor([ROWS, 64])
    changes = [
        ({"weight": whole[:-1]}, "weight is damaged: its end is missing"),
        ({"weight": whole[: len(whole) // 2]}, "weight is damaged: [0-9]+ numbers, expected 4096"),
        ({"weight": torch.cat([whole, whole[:3]])}, "weight is damaged: its end is followed by more"),
        ({"weight": flipped}, "weight is damaged"),
        ({"weight": torch.zeros_like(whole)}, "weight is damaged: Error"),
        ({"weight": bytes_of(zlib.compress(bytes(4097)), bytes(600))}, "weight is damaged: more numbers"),
        ({"weight": bytes_of(zlib.compress(bytes(1 << 24)))}, "weight is damaged: more numbers"),
        ({"weight": whole.float()}, "no row of bytes"),
        ({"weight": whole.view(1, -1)}, "no row of bytes"),
        ({"weight.shape": one.float()}, r"weight\.shape is no shape"),
        ({"weight.shape": torch.tensor([4096])}, r"weight\.shape is no shape"),
        ({"weight.shape": torch.ones(9, dtype=torch.int64)}, r"weight\.shape is no shape"),
        ({"weight.shape": one * -1}, r"weight\.shape is \[-64, -64\]"),
        ({"weight.shape": one * 0}, r"weight\.shape is \[0, 0\]"),
        ({"weight.shape": one << 30}, r"which [0-9]+ bytes cannot hold"),
        ({"weight.shape": torch.tensor([32, 64])}, r"weight\.scale does not fit"),
        ({"weight.shape": torch.tensor([ROWS, 32])}, "more numbers, expected 2048"),
        ({"weight.shape": torch.tensor([ROWS, 65])}, "4096 numbers, expected 4160"),
        ({"weight.shape": torch.tensor([ROWS, 8, 8])}, "of another size: ..weight"),
        ({"weight.scale": tensors["weight.scale"].float()}, r"weight\.scale does not fit"),
        ({"weight.scale": tensors["weight.scale"][:-1]}, r"weight\.scale does not fit"),
        ({"bias.shape": torch.tensor([ROWS])}, r"bias\.shape does not fit"),
        ({"other.shape": one}, r"other\.shape does not fit"),
    ]
    for change, message in changes:
        save_file({name: part.contiguous() for name, part in (tensors | change).items()}, path)
        with pytest.raises(ModelError, match=message) as error:
            read(saved)
        assert "model.safetensors" in str(error.value)
    for name, message in (("weight", "weight.shape does not fit"), ("weight.scale", "weight.shape does not fit")):
        save_file({key: part for key, part in tensors.items() if key != name}, path)
        with pytest.raises(ModelError, match=message):
            read(saved)
    save_file(tensors, path)
    read(saved)


def test_rows_beyond_float16_are_not_written(tmp_path):
    model = nn.Linear(64, ROWS)
    with torch.no_grad():
        model.weight[3] = 1e7
    with pytest.raises(ModelError, match=r"weight\.scale holds numbers that are not finite"):
        save_weights(tmp_path, FILES, model, Storage.compact, tmp_path)
    assert not list(tmp_path.iterdir())
