"""Files of published Fish-Speech models: only tensors are read."""

import pytest
import torch

from speech.errors import FileError, ModelError
from speech.models.importers.fish_files import check_names, read_state


def test_tensors_are_read_wrapped_or_not(tmp_path):
    tensors = {"a": torch.ones(2), "b": torch.zeros(1, 3)}
    torch.save(tensors, tmp_path / "x.pth")
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "y.pth")
    for name in ("x.pth", "y.pth"):
        found = read_state(tmp_path / name)
        assert found.keys() == tensors.keys()
        assert torch.equal(found["a"], tensors["a"])


class Attack:
    def __reduce__(self):
        return (FileError, ("executed",))


@pytest.mark.parametrize(
    ("content", "message"),
    [({"a": Attack()}, "is no file of tensors"), ([torch.ones(2)], "something else"), ({"a": 3}, "something else")],
)
def test_something_else_is_refused_and_never_executed(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=message) as error:
        read_state(tmp_path / "x.pth")
    assert "x.pth" in str(error.value)


def test_damaged_and_missing_files_are_named(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"x\.pth: is no file of tensors"):
        read_state(tmp_path / "x.pth")
    with pytest.raises(FileError, match=r"y\.pth: cannot be read"):
        read_state(tmp_path / "y.pth")


def test_names_and_shapes_are_checked_together():
    wanted = {"a": (2,), "b": (1, 3)}
    check_names(wanted, {"a": torch.ones(2), "b": torch.ones(1, 3)}, "x.pth")
    with pytest.raises(ModelError, match=r"x\.pth: 1 tensors are missing: b\."):
        check_names(wanted, {"a": torch.ones(2)}, "x.pth")
    with pytest.raises(ModelError, match=r"2 tensors belong to no part of the model: c, d"):
        check_names({}, {"d": torch.ones(2), "c": torch.ones(1)}, "x.pth")
    with pytest.raises(ModelError, match=r"1 tensors have another shape: a \(1, 2\), expected \(2,\)"):
        check_names({"a": (2,)}, {"a": torch.ones(1, 2)}, "x.pth")
