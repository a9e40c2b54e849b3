"""A `model.bin` of CTranslate2, written by hand, is read back; what is damaged says so and never crashes."""

import contextlib
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import FileError, ModelError
from speech.models.importers.ctranslate2_file import read_ctranslate2
from tests.published_whisper import BFLOAT16, array, ctranslate2_bytes

ONE = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def write(tmp_path):
    def to(data: bytes):
        path = tmp_path / "model.bin"
        path.write_bytes(data)
        return path

    return to


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int16, np.int32, np.float16])
@pytest.mark.parametrize("version", [5, 6])
def test_arrays_of_all_types_and_shapes(write, dtype, version):
    arrays = {
        "number": np.array(3, dtype),
        "row": np.array([-1, 2, 3], dtype),
        "cube": np.arange(-12, 12).astype(dtype).reshape(2, 3, 4),
        "dimensions": np.array([[[[[[[[[1]]]]]]]]], dtype),
    }
    packed = [array(name, value) for name, value in arrays.items()]
    kind, found = read_ctranslate2(write(ctranslate2_bytes(packed, {}, version=version, kind="AnySpec")))
    assert kind == "AnySpec"
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        expected = torch.from_numpy(value)
        assert found[name].dtype == expected.dtype
        assert torch.equal(found[name], expected)


def test_bfloat16(write):
    values = torch.tensor([[1.5, -2.0], [3e30, 0.0]], dtype=torch.bfloat16)
    _, found = read_ctranslate2(write(ctranslate2_bytes([array("a", values.view(torch.int16).numpy(), BFLOAT16)], {})))
    assert found["a"].dtype == torch.bfloat16
    assert torch.equal(found["a"], values)


def test_an_alias_is_another_name_of_the_same_array(write):
    _, found = read_ctranslate2(write(ctranslate2_bytes([array("a", ONE)], {"b": "a", "c": "b"})))
    assert found["b"] is found["a"]
    assert found["c"] is found["a"]


def test_an_alias_of_nothing_is_refused(write):
    with pytest.raises(ModelError, match=r"model\.bin: names 'x', which it does not hold"):
        read_ctranslate2(write(ctranslate2_bytes([array("a", ONE)], {"b": "x"})))


@pytest.mark.parametrize("version", [0, 4, 7, 1 << 31])
def test_another_version_is_refused(write, version):
    with pytest.raises(ModelError, match="no CTranslate2 file of version 5 or 6"):
        read_ctranslate2(write(ctranslate2_bytes([array("a", ONE)], {}, version=version)))


def test_a_type_that_is_unknown_is_named(write):
    with pytest.raises(ModelError, match="a is of the unknown type 9"):
        read_ctranslate2(write(ctranslate2_bytes([array("a", ONE, 9)], {})))


@pytest.mark.parametrize("kind", [0, 1, 4, BFLOAT16])
def test_an_array_of_another_size_than_its_shape_is_named(write, kind):
    packed = bytearray(array("a", np.zeros(6, np.float32), kind))
    struct.pack_into("<I", packed, 5, 7)  # behind the name and the number of dimensions
    with pytest.raises(ModelError, match=r"a has 24 bytes, expected \d+ for shape \[7\]"):
        read_ctranslate2(write(ctranslate2_bytes([bytes(packed)], {})))


def test_bytes_that_are_no_whole_number_are_named(write):
    with pytest.raises(ModelError, match=r"a has 5 bytes, expected 20 for shape \[5\]"):
        read_ctranslate2(write(ctranslate2_bytes([array("a", np.zeros(5, np.int8), 0)], {})))


WHOLE = ctranslate2_bytes([array("number", np.array(3, np.int16)), array("a", ONE)], {"b": "a"})


@pytest.mark.parametrize("size", range(1, len(WHOLE)))
def test_a_file_that_is_cut_short_says_so(write, size):
    with pytest.raises(ModelError, match="is cut short"):
        read_ctranslate2(write(WHOLE[:size]))


@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(tmp_path_factory, data):
    damaged = bytearray(WHOLE)
    for place in data.draw(st.lists(st.integers(0, len(WHOLE) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "model.bin"
    path.write_bytes(bytes(damaged))
    with contextlib.suppress(ModelError):
        read_ctranslate2(path)


def test_an_empty_array_is_named(write):
    with pytest.raises(ModelError, match=r"a is empty: its shape is \[0, 4\]"):
        read_ctranslate2(write(ctranslate2_bytes([array("a", np.empty((0, 4), np.float32))], {})))


def test_shapes_that_no_memory_could_hold_are_refused(write):
    packed = bytearray(array("a", np.zeros((1, 1, 1), np.float32)))
    struct.pack_into("<III", packed, 5, *[(1 << 32) - 1] * 3)
    with pytest.raises(ModelError, match="a has 4 bytes"):
        read_ctranslate2(write(ctranslate2_bytes([bytes(packed)], {})))


def test_a_file_that_cannot_be_read(tmp_path, write):
    with pytest.raises(FileError, match="no such file"):
        read_ctranslate2(tmp_path / "nothing.bin")
    with pytest.raises(FileError):
        read_ctranslate2(write(b""))
