"""Voices as files: what comes back, which model they fit, and files that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from speech.errors import ModelError
from speech.tts import voice_file
from speech.tts.voice_file import VoiceFile, load_voice, save_voice, stored_voices

DIGEST = "0123456789abcdef" * 4
VOICE = VoiceFile(
    name="anna", language="deu", kind="kokoro", model=DIGEST, tensors={"styles": torch.rand(3, 4)}, cloned=False,
    card="# Anna\n\nMade of two.", created="2026-11-30T05:00:00+00:00",
)  # fmt: skip
CLONED = replace(
    VOICE, kind="aligned_ar", cloned=True, phonemes="ˈana", card="Anna has agreed.",
    tensors={"codes": torch.randint(0, 1024, (8, 50)), "durations": torch.arange(4), "embedding": torch.rand(192)},
)  # fmt: skip


@pytest.mark.parametrize("voice", [VOICE, CLONED])
def test_a_voice_comes_back(tmp_path, voice):
    save_voice(tmp_path / "anna.voice", voice)
    found = load_voice(tmp_path / "anna.voice")
    assert replace(found, tensors={}) == replace(voice, tensors={})
    assert found.tensors.keys() == voice.tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in voice.tensors.items())


def test_a_voice_fits_the_model_that_it_was_made_for():
    VOICE.check("kokoro", DIGEST, "x")
    with pytest.raises(ModelError, match="x: is a voice for a model of kind 'kokoro', not 'dual_ar'"):
        VOICE.check("dual_ar", DIGEST, "x")
    with pytest.raises(ModelError, match="for another model: made for 0123456789ab, this is ffffffffffff"):
        VOICE.check("kokoro", "f" * 64, "x")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "a/b"}, "its name is 'a/b'"),
        ({"name": "x" * 65}, "up to 64"),
        ({"language": "xx"}, "its language is 'xx'"),
        ({"kind": "../x"}, "its kind of model"),
        ({"model": "abc"}, "no SHA-256"),
        ({"card": "x" * 100_001}, "more than 100000"),
        ({"card": " ", "cloned": True}, "no card says who has consented"),
        ({"created": "yesterday"}, "created at 'yesterday'"),
    ],
)
def test_fields_that_cannot_be_are_refused_also_from_a_file(tmp_path, change, said):
    with pytest.raises(ModelError, match=said):
        replace(VOICE, **change)
    save_voice(tmp_path / "x.voice", VOICE)
    metadata = {key: getattr(VOICE, key) for key in ("name", "language", "kind", "model", "card", "created")} | change
    metadata["cloned"] = str(change.get("cloned", False)).lower()
    save_file(dict(VOICE.tensors), tmp_path / "x.voice", {"format": "speech voice 1", **metadata})
    with pytest.raises(ModelError, match=f"x.voice: is no voice: .*{said}"):
        load_voice(tmp_path / "x.voice")


def test_files_that_are_no_voices_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.voice"
    with pytest.raises(ModelError, match=r"cannot be read: no such file|cannot be read: No such file"):
        load_voice(path)
    for content in (b"", b"\x80\x04K\x01.", b"\xff" * 100, (2**60).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"x\.voice: is damaged"):
            load_voice(path)
    save_file({"styles": torch.ones(3, 4)}, path)
    with pytest.raises(ModelError, match="its format is not 'speech voice 1'"):
        load_voice(path)
    save_voice(path, VOICE)
    monkeypatch.setattr(voice_file, "MOST_BYTES", 100)
    with pytest.raises(ModelError, match=r"has \d+ bytes, a voice at most 100"):
        load_voice(path)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"styles": torch.full((3, 4), torch.nan)}, "not finite"),
        ({"styles": torch.ones(3, 4, dtype=torch.float64)}, "numbers of type F64"),
        ({f"t{n}": torch.ones(1) for n in range(17)}, "17 tensors"),
        ({}, "0 tensors"),
    ],
)
def test_tensors_that_cannot_be_are_refused(tmp_path, tensors, said):
    metadata = {key: getattr(VOICE, key) for key in ("name", "language", "kind", "model", "card", "created")}
    save_file(tensors, tmp_path / "x.voice", {"format": "speech voice 1", "cloned": "false", **metadata})
    with pytest.raises(ModelError, match=said):
        load_voice(tmp_path / "x.voice")


@pytest.mark.parametrize("key", ["name", "language", "kind", "model", "card", "created", "cloned"])
def test_missing_metadata_is_named(tmp_path, key):
    metadata = {name: getattr(VOICE, name) for name in ("name", "language", "kind", "model", "card", "created")}
    metadata |= {"format": "speech voice 1", "cloned": "false"}
    del metadata[key]
    save_file(dict(VOICE.tensors), tmp_path / "x.voice", metadata)
    with pytest.raises(ModelError, match=f"{key} is missing"):
        load_voice(tmp_path / "x.voice")


def test_voices_beside_a_model_have_the_names_of_their_files(tmp_path):
    save_voice(tmp_path / "b.safetensors", VOICE)
    save_file({"styles": torch.ones(3, 4)}, tmp_path / "a.safetensors")
    save_voice(tmp_path / "c.voice", VOICE)
    assert [voice.name for voice in stored_voices(tmp_path)] == ["b"]
    assert stored_voices(tmp_path / "nowhere") == []
