"""Voices: a style for each number of symbols, mixtures, and their files."""

import pytest
import torch
from safetensors.torch import save_file

from speech.errors import ConfigError, ModelError
from speech.models.kokoro_voice import blend, load_voices, save_voices, style_of

PACKS = {"one": torch.arange(12.0).view(3, 4), "two": torch.ones(3, 4)}


def test_the_style_is_that_of_the_number_of_symbols():
    assert style_of(PACKS["one"], 1).tolist() == [0, 1, 2, 3]
    assert style_of(PACKS["one"], 3).tolist() == [8, 9, 10, 11]
    assert style_of(PACKS["one"], 400).tolist() == [8, 9, 10, 11]
    with pytest.raises(ConfigError, match="0 symbols"):
        style_of(PACKS["one"], 0)


def test_a_blend_is_the_weighted_mean():
    torch.testing.assert_close(blend(PACKS, {"one": 3, "two": 1}), 0.75 * PACKS["one"] + 0.25)
    torch.testing.assert_close(blend(PACKS, {"one": 2.0}), PACKS["one"])
    shorter = {**PACKS, "two": torch.ones(1, 4)}
    torch.testing.assert_close(blend(shorter, {"one": 3, "two": 1}), blend(PACKS, {"one": 3, "two": 1}))
    with pytest.raises(ConfigError, match=r"no voice 'three'\. There are one, two"):
        blend(PACKS, {"one": 1, "three": 1})
    for weights in ({}, {"one": 0.0}, {"one": 1, "two": -1}, {"one": float("nan")}):
        with pytest.raises(ConfigError, match="a weight above 0"):
            blend(PACKS, weights)


def test_voices_come_back(tmp_path):
    save_voices(tmp_path / "voices", PACKS)
    found = load_voices(tmp_path / "voices", 2)
    assert list(found) == ["one", "two"]
    assert all(torch.equal(found[name], pack) for name, pack in PACKS.items())
    assert load_voices(tmp_path / "nothing", 2) == {}
    save_voices(tmp_path / "half", {"one": torch.tensor([[0.1, 65504.0]])}, torch.float16)
    half = load_voices(tmp_path / "half", 1)["one"]
    assert half.dtype == torch.float32
    assert torch.equal(half, torch.tensor([[0.1, 65504.0]]).half().float())
    with pytest.raises(ModelError, match="styles holds numbers that are not finite"):
        save_voices(tmp_path / "half", {"two": torch.full((1, 2), 7e4)}, torch.float16)


def test_voices_that_do_not_fit_are_named(tmp_path):
    save_voices(tmp_path, PACKS)
    with pytest.raises(ModelError, match=r"one\.safetensors: has shape \(3, 4\), expected \(rows, 6\)"):
        load_voices(tmp_path, 3)
    save_file({"strange": torch.ones(2)}, tmp_path / "alpha.safetensors")
    with pytest.raises(ModelError, match=r"alpha\.safetensors: holds strange, expected styles"):
        load_voices(tmp_path, 2)
    save_file({"styles": torch.ones(3, 4)}, tmp_path / "a b.safetensors")
    with pytest.raises(ModelError, match="'a b' is no name of a voice"):
        load_voices(tmp_path, 2)
