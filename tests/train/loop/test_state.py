"""`last.ckpt` is data: nothing in it is executed, nothing in it is not finite, and a full disk leaves the older one."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from speech.errors import ConfigError, FileError, ModelError
from speech.train.asr.config import RunConfig
from speech.train.loop.state import CHECKPOINT, StateFiles, read_state, steps_done
from tests.disk import small_disk


def state(value: float = 1.0, step: int = 3) -> dict:
    weights = torch.full((4, 3), value)
    return {
        "global_step": step,
        "state_dict": {"model.a": weights, "model.n": torch.ones(2, dtype=torch.int64)},
        "optimizer_states": [
            {"state": {0: {"step": torch.tensor(3.0), "exp_avg": weights.clone()}}, "param_groups": []}
        ],
    }


class Hostile:
    """What makes a pickle dangerous: reading it calls anything."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def hostile_zip(path: Path, what: object) -> None:
    """A file as torch writes them, whose pickle is ours."""
    torch.save(state(), path)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name, data in parts.items():
            new.writestr(name, pickle.dumps(what, protocol=2) if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("kind", ["zip", "nested", "bare"])
def test_a_hostile_file_is_refused_and_nothing_of_it_runs(tmp_path, kind):
    made, path = tmp_path / "made", tmp_path / CHECKPOINT
    if kind == "zip":
        hostile_zip(path, Hostile(made))
    elif kind == "nested":
        torch.save(state() | {"loops": {"x": [Hostile(made)]}}, path)
    else:
        path.write_bytes(pickle.dumps(Hostile(made)))
    with pytest.raises(ModelError, match=rf"{CHECKPOINT}: is no checkpoint of a run: .*Delete it"):
        steps_done(RunConfig(), tmp_path)
    assert not made.exists()


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "a [b]*?::#" / CHECKPOINT
    StateFiles().save_checkpoint(state(2.0), path)
    found = StateFiles().load_checkpoint(path)
    assert found["global_step"] == 3
    assert torch.equal(found["state_dict"]["model.a"], torch.full((4, 3), 2.0))
    assert [p.name for p in path.parent.iterdir()] == [CHECKPOINT]
    StateFiles().remove_checkpoint(path)
    assert not path.exists()


@pytest.mark.parametrize("place", ["state_dict", "optimizer_states"])
def test_what_is_not_finite_is_neither_written_nor_read(tmp_path, place):
    path = tmp_path / CHECKPOINT
    StateFiles().save_checkpoint(state(step=2), path)
    bad = state()
    tensor = (
        bad["state_dict"]["model.a"] if place == "state_dict" else bad["optimizer_states"][0]["state"][0]["exp_avg"]
    )
    tensor[3, 2] = float("nan")
    name = "state_dict.model.a" if place == "state_dict" else "optimizer_states.0.state.0.exp_avg"
    with pytest.raises(ModelError, match=f"{name} holds numbers that are not finite"):
        StateFiles().save_checkpoint(bad, path)
    assert read_state(path)["global_step"] == 2
    torch.save(bad, path)
    with pytest.raises(ModelError, match=f"{name} holds numbers that are not finite"):
        read_state(path)


@pytest.mark.parametrize("content", [b"", b"no", b"PK\x03\x04", b"\x80\x02}."])
def test_a_file_that_is_something_else_is_named(tmp_path, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(ModelError, match="is no checkpoint of a run") as error:
        read_state(tmp_path / CHECKPOINT)
    assert "\n" not in str(error.value)
    torch.save({"weights": torch.ones(1)}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="is no checkpoint of a run"):
        read_state(tmp_path / CHECKPOINT)
    whole = tmp_path / "whole"
    torch.save(state(), whole)
    (tmp_path / CHECKPOINT).write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(ModelError, match="is no checkpoint of a run"):
        read_state(tmp_path / CHECKPOINT)


def test_a_folder_without_a_run_has_no_steps_and_one_with_a_run_is_kept(tmp_path):
    assert steps_done(RunConfig(), tmp_path) == 0
    StateFiles().save_checkpoint(state(step=7), tmp_path / CHECKPOINT)
    assert steps_done(RunConfig(), tmp_path) == 7
    with pytest.raises(ConfigError, match="holds a run"):
        steps_done(RunConfig(resume=False), tmp_path)
    with pytest.raises(FileError, match="cannot be read"):
        read_state(tmp_path / "none")


def test_a_full_disk_leaves_the_older_file(tmp_path):
    path = tmp_path / CHECKPOINT
    StateFiles().save_checkpoint(state(step=2), path)
    big = state(step=9) | {"state_dict": {"model.a": torch.zeros(1_000_000)}}
    with small_disk(100_000), pytest.raises(FileError, match=r"last\.ckpt: cannot be written: file too large$"):
        StateFiles().save_checkpoint(big, path)
    assert read_state(path)["global_step"] == 2
    assert [p.name for p in tmp_path.iterdir()] == [CHECKPOINT]
