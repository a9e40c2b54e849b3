"""Voices: a style for each number of symbols, mixtures, and their files."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from speech.errors import ConfigError, ModelError
from speech.models.kokoro_voice import KokoroVoice, blend, check_voice, load_voices, save_voices

VOICES = {"one": KokoroVoice(torch.arange(12.0).view(3, 4)), "two": KokoroVoice(torch.ones(3, 4))}


def test_the_style_is_that_of_the_number_of_symbols():
    assert VOICES["one"].style_of(1).tolist() == [0, 1, 2, 3]
    assert VOICES["one"].style_of(3).tolist() == [8, 9, 10, 11]
    assert VOICES["one"].style_of(400).tolist() == [8, 9, 10, 11]
    with pytest.raises(ConfigError, match="0 symbols"):
        VOICES["one"].style_of(0)


def test_a_blend_is_the_weighted_mean():
    mixed = blend(VOICES, {"one": 3, "two": 1}).styles
    torch.testing.assert_close(mixed, 0.75 * VOICES["one"].styles + 0.25)
    torch.testing.assert_close(blend(VOICES, {"one": 2.0}).styles, VOICES["one"].styles)
    shorter = {**VOICES, "two": KokoroVoice(torch.ones(1, 4))}
    torch.testing.assert_close(blend(shorter, {"one": 3, "two": 1}).styles, mixed)
    with pytest.raises(ConfigError, match=r"no voice 'three'\. There are one, two"):
        blend(VOICES, {"one": 1, "three": 1})
    for weights in ({}, {"one": 0.0}, {"one": 1, "two": -1}, {"one": float("nan")}):
        with pytest.raises(ConfigError, match="a weight above 0"):
            blend(VOICES, weights)


def test_statistics_are_blended_where_all_voices_have_them():
    known = {name: replace(voice, norms=torch.full((2, 5), float(n))) for n, (name, voice) in enumerate(VOICES.items())}
    mixed = blend(known, {"one": 3, "two": 1})
    torch.testing.assert_close(mixed.norms, torch.cat([torch.full((2, 5), 0.25), torch.zeros(2, 5)]))
    long = {**known, "one": replace(VOICES["one"], norms=torch.full((4, 5), 1.0))}
    torch.testing.assert_close(blend(long, {"one": 1, "two": 1}).norms[2:], torch.full((2, 5), 0.5))
    assert blend({**known, "one": VOICES["one"]}, {"one": 3, "two": 1}).statistics is None


def test_statistics_come_back_and_have_to_fit(tmp_path):
    save_voices(tmp_path, {"one": replace(VOICES["one"], norms=torch.arange(10.0).view(2, 5))})
    found = load_voices(tmp_path, 2)["one"]
    assert torch.equal(found.norms, torch.arange(10.0).view(2, 5))
    check_voice("one", found, 2, 5, "here")
    with pytest.raises(ModelError, match=r"norms of shape \(2, 5\), expected \(2 or 4, 6\)"):
        check_voice("one", found, 2, 6, "here")
    with pytest.raises(ModelError, match="a variance of -1"):
        check_voice("one", replace(found, norms=-torch.ones(2, 5)), 2, 5, "here")


def test_voices_come_back(tmp_path):
    save_voices(tmp_path / "voices", VOICES)
    found = load_voices(tmp_path / "voices", 2)
    assert list(found) == ["one", "two"]
    assert all(torch.equal(found[name].styles, voice.styles) for name, voice in VOICES.items())
    assert load_voices(tmp_path / "nothing", 2) == {}
    save_voices(tmp_path / "half", {"one": KokoroVoice(torch.tensor([[0.1, 65504.0]]))}, torch.float16)
    half = load_voices(tmp_path / "half", 1)["one"].styles
    assert half.dtype == torch.float32
    assert torch.equal(half, torch.tensor([[0.1, 65504.0]]).half().float())
    with pytest.raises(ModelError, match="styles holds numbers that are not finite"):
        save_voices(tmp_path / "half", {"two": KokoroVoice(torch.full((1, 2), 7e4))}, torch.float16)


def test_voices_that_do_not_fit_are_named(tmp_path):
    save_voices(tmp_path, VOICES)
    with pytest.raises(ModelError, match=r"one\.safetensors: has shape \(3, 4\), expected \(rows, 6\)"):
        load_voices(tmp_path, 3)
    save_file({"strange": torch.ones(2)}, tmp_path / "alpha.safetensors")
    with pytest.raises(ModelError, match=r"alpha\.safetensors: holds strange, expected styles"):
        load_voices(tmp_path, 2)
    save_file({"styles": torch.ones(3, 4)}, tmp_path / "a b.safetensors")
    with pytest.raises(ModelError, match="'a b' is no name of a voice"):
        load_voices(tmp_path, 2)
