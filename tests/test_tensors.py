"""Files of tensors: what is not finite is neither written nor read, and a file appears whole or not at all."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from speech.errors import FileError, ModelError
from speech.tensors import check_finite, load_tensors, not_finite, save_tensors
from tests.disk import small_disk

NAN, INF = float("nan"), float("inf")


@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40),
    bad=st.sampled_from([NAN, INF, -INF]),
    place=st.integers(0, 39),
)
def test_one_bad_number_anywhere_is_found_and_good_ones_are_not(values, bad, place):
    tensor = torch.tensor(values, dtype=torch.float32)
    assert not_finite({"a": tensor}) is None
    tensor[place % len(values)] = bad
    assert not_finite({"fine": torch.ones(2), "a": tensor}) == "a"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_in_numbers_of_every_kind(dtype, bad):
    largest = torch.full((3, 700), torch.finfo(dtype).max, dtype=dtype)
    assert not_finite({"a": largest}) is None
    largest[2, 600] = bad
    with pytest.raises(ModelError, match=r"^here: a holds numbers that are not finite\. Do this\.$"):
        check_finite({"a": largest}, "here", "Do this.")


def test_integers_and_nothing_at_all_are_finite():
    assert not_finite({"a": torch.ones(3, dtype=torch.int8), "b": torch.zeros(0)}) is None


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    save_tensors(path, {"a": torch.arange(6.0).view(2, 3).T}, {"format": "pt"})
    assert torch.equal(load_tensors(path)["a"], torch.arange(6.0).view(2, 3).T)
    assert [p.name for p in path.parent.iterdir()] == ["a.safetensors"]


def test_what_is_not_finite_is_neither_written_nor_read(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": torch.ones(2)})
    with pytest.raises(ModelError, match=r"a holds numbers that are not finite\. It has not been written"):
        save_tensors(path, {"a": torch.tensor([1.0, NAN])})
    assert load_tensors(path)["a"].tolist() == [1.0, 1.0]
    save_file({"b": torch.tensor([INF])}, path)
    with pytest.raises(ModelError, match=r"a\.safetensors: b holds numbers"):
        load_tensors(path)


def test_a_file_that_is_damaged_or_missing_is_named(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        load_tensors(path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="is damaged"):
        load_tensors(path)


def test_a_full_disk_leaves_the_older_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": torch.ones(2)})
    with small_disk(8192), pytest.raises(FileError, match=r"a\.safetensors: cannot be written: file too large$"):
        save_tensors(path, {"a": torch.zeros(100_000)})
    assert load_tensors(path)["a"].tolist() == [1.0, 1.0]
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_folder_that_cannot_be_made_is_said():
    with pytest.raises(FileError, match=r"^/proc/none/a: cannot be written"):
        save_tensors(Path("/proc/none/a"), {"a": torch.ones(1)})
