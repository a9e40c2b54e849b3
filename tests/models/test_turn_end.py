"""Files of end-of-turn models: what is written is read, and damage is named."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from speech.errors import ModelError
from speech.models.turn_end import TurnEndModel, load_turn_end, save_turn_end
from speech.text.turn_features import turn_features


def model() -> TurnEndModel:
    weights = np.random.default_rng(1).normal(size=512).astype(np.float32)
    return TurnEndModel(weights, 0.25, {"note": "é"})


def test_a_probability_is_that_of_the_sum_of_weights():
    own = model()
    score = own.weights[turn_features("Is it?", "eng", 512)].sum() + 0.25
    assert own.probability("Is it?", "eng") == pytest.approx(1 / (1 + np.exp(-score)), rel=1e-5)
    huge = TurnEndModel(np.full(8, 900, np.float32), 0.0)
    assert huge.probability("yes", None) == 1
    assert TurnEndModel(-huge.weights, 0.0).probability("yes", None) == 0


def test_what_is_written_is_read(tmp_path):
    save_turn_end(tmp_path / "m", model(), "# card\n", {"more.txt": b"x"})
    read = load_turn_end(tmp_path / "m")
    assert np.abs(read.weights - model().weights).max() < 2e-3
    assert (read.weights.dtype, read.bias, read.info) == (np.float32, 0.25, {"note": "é"})
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "README.md", "config.json", "model.safetensors", "more.txt",
    }  # fmt: skip


def test_weights_that_float16_cannot_hold_are_not_written(tmp_path):
    for wrong in (np.inf, 1e6):
        weights = np.array([0, wrong], np.float32)
        with np.errstate(over="ignore"), pytest.raises(ModelError, match="not finite in float16"):
            save_turn_end(tmp_path / "m", TurnEndModel(weights, 0.0), "")
    assert not (tmp_path / "m").exists()


def record(**other):
    return json.dumps({"format": 1, "kind": "end_of_turn", "bias": 0.0, "info": {}} | other).encode()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", b"{", "is no record"),
        ("config.json", b"[]", "is no record"),
        ("config.json", record(kind="codec"), "kind 'codec'; expected 'end_of_turn'"),
        ("config.json", record(bias="much"), "is no record"),
        ("config.json", record(bias=float("nan")), "no row of finite numbers"),
        ("model.safetensors", b"nothing", "holds no weights"),
        ("model.safetensors", save({"other": np.zeros(3, np.float16)}), "holds no weights"),
        ("model.safetensors", save({"weights": np.zeros((3, 2), np.float16)}), "no row of finite numbers"),
        ("model.safetensors", save({"weights": np.full(3, np.nan, np.float16)}), "no row of finite numbers"),
        ("model.safetensors", save({"weights": np.zeros(0, np.float16)}), "no row of finite numbers"),
    ],
)
def test_damage_is_named(tmp_path, name, content, said):
    save_turn_end(tmp_path / "m", model(), "")
    (tmp_path / "m" / name).write_bytes(content)
    with pytest.raises(ModelError, match=said):
        load_turn_end(tmp_path / "m")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    save_turn_end(tmp_path / "m", model(), "")
    (tmp_path / "m" / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}"):
        load_turn_end(tmp_path / "m")
