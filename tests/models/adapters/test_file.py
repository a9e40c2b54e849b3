"""An adapter on disk is what it was, and fits its own model only."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from speech.errors import ModelError
from speech.models.adapters.file import (
    FOLDER,
    AdapterFile,
    describe,
    fingerprint,
    load_adapter,
    load_bank,
    save_adapter,
)
from speech.nn.adapters import Adapter


def made(language: str, base: str = "0" * 64, *, dim: int = 32, scores: dict[str, float] | None = None) -> AdapterFile:
    adapter = Adapter([1, 3], dim, 4, ["α", "ω"])
    with torch.no_grad():
        adapter.up.normal_()
        adapter.rows.normal_()
    return AdapterFile(adapter, language, base, f"# {language}\n\nCC-BY-4.0", scores or {"dev_cer": 0.25})


def saved(path: Path, item: AdapterFile) -> Path:
    save_adapter(path, item)
    return path


def said(path: Path, **metadata: str) -> Path:
    """The same numbers, with something else said of them."""
    with safe_open(path, "pt") as file:
        before = file.metadata()
    save_file(load_file(path), path, metadata=before | metadata)
    return path


def test_it_comes_back_as_it_was(tmp_path):
    item = made("lad")
    save_adapter(tmp_path / "new" / "lad.safetensors", item)
    found = load_adapter(tmp_path / "new" / "lad.safetensors", item.base)
    assert (found.language, found.base, found.card, found.adapter.layers) == ("lad", item.base, item.card, (1, 3))
    assert (found.adapter.tokens, found.scores) == (("α", "ω"), {"dev_cer": 0.25})
    for name, value in item.adapter.named_parameters():
        assert torch.equal(found.adapter.get_parameter(name), value)
    assert not any(parameter.requires_grad for parameter in found.adapter.parameters())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lad.safetensors"]


def test_another_base_is_refused_by_its_fingerprint(tmp_path):
    save_adapter(tmp_path / "lad.safetensors", made("lad", "a" * 64))
    assert load_adapter(tmp_path / "lad.safetensors").base == "a" * 64
    with pytest.raises(ModelError, match=r"lad.*trained behind aaaaaaaaaaaa, this is bbbbbbbbbbbb"):
        load_adapter(tmp_path / "lad.safetensors", "b" * 64)


def test_what_is_no_adapter_is_named(tmp_path, checkpoint):
    with pytest.raises(ModelError, match="is no adapter: its format is 'pt'"):
        load_adapter(checkpoint / "model.safetensors")
    with pytest.raises(ModelError, match=r"missing.*cannot be read"):
        load_adapter(tmp_path / "missing.safetensors")
    (tmp_path / "text.safetensors").write_text("text")
    with pytest.raises(ModelError, match="cannot be read"):
        load_adapter(tmp_path / "text.safetensors")


def test_a_description_is_what_the_file_holds(tmp_path):
    path = saved(tmp_path / "lad.safetensors", made("lad"))
    info = describe(path)
    assert (info.path, info.language, info.base, info.size) == (path, "lad", "0" * 64, path.stat().st_size)
    assert (info.layers, info.dim, info.width, info.tokens) == ((1, 3), 32, 4, ("α", "ω"))
    assert info.parameters == sum(value.numel() for value in load_adapter(path).adapter.parameters())
    assert (info.scores, info.card) == ({"dev_cer": 0.25}, "# lad\n\nCC-BY-4.0")


def test_it_has_to_fit_the_model(tmp_path, model):
    describe(saved(tmp_path / "lad.safetensors", made("lad"))).check(model)
    with pytest.raises(ModelError, match=r"lad.*is for frames of 16 behind layers up to 3; the model has 3 of 32"):
        describe(saved(tmp_path / "lad.safetensors", made("lad", dim=16))).check(model)
    far = said(saved(tmp_path / "lad.safetensors", made("lad")), layers="[1, 9]")
    with pytest.raises(ModelError, match=r"^here: is for frames of 32 behind layers up to 9"):
        describe(far).check(model, where="here")


@pytest.mark.parametrize(
    "metadata",
    [
        {"layers": "[1]"},
        {"layers": "[3, 1]"},
        {"layers": '["a", "b"]'},
        {"layers": "3"},
        {"layers": "[true, 3]"},
        {"layers": "[" * 100_000},
        {"layers": "no json"},
        {"tokens": "[1, 2]"},
        {"tokens": '["α"]'},
        {"tokens": '["α", ""]'},
        {"tokens": '["α", "α"]'},
        {"scores": "[]"},
        {"scores": '{"dev_cer": NaN}'},
        {"scores": '{"dev_cer": "low"}'},
    ],
)
def test_what_contradicts_itself_is_damaged(tmp_path, metadata):
    path = said(saved(tmp_path / "lad.safetensors", made("lad")), **metadata)
    for read in (describe, load_adapter):
        with pytest.raises(ModelError, match=r"lad.*is damaged"):
            read(path)


def test_numbers_have_to_be_numbers_of_the_right_size(tmp_path):
    path = saved(tmp_path / "lad.safetensors", made("lad"))
    whole = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    for name, value, says in (
        ("up", whole["up"].int(), "numbers are not"),
        ("up", whole["up"][:, :5], "tensors of sizes"),
        ("more", whole["up"], "tensors of sizes"),
        ("up", whole["up"] * torch.nan, "not finite"),
        ("down", torch.zeros(1, 1 << 20, 1), "is damaged"),
    ):
        save_file(
            {name: tensor.clone().contiguous() for name, tensor in (whole | {name: value}).items()}, path, metadata
        )
        with pytest.raises(ModelError, match=f"^here: .*{says}"):
            load_adapter(path, where="here")


@pytest.mark.parametrize("code", ["xyz", "../lad", "", "lad.x"])
def test_a_language_has_to_be_one(tmp_path, code):
    path = said(saved(tmp_path / "lad.safetensors", made("lad")), language=code)
    with pytest.raises(ModelError, match=r"is for a language that is not known here"):
        describe(path)


def test_a_fingerprint_is_that_of_the_weights_as_they_are_now(tmp_path):
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        fingerprint(tmp_path)
    found = []
    for content in (b"a", b"bb"):
        (tmp_path / "model.safetensors").write_bytes(content)
        found.append(fingerprint(tmp_path))
        assert found[-1] == fingerprint(tmp_path) == hashlib.sha256(content).hexdigest()
    assert found[0] != found[1]


def test_the_adapters_beside_a_checkpoint_make_a_bank(checkpoint, tmp_path):
    folder, elsewhere = checkpoint / FOLDER, tmp_path / "elsewhere"
    assert load_bank(checkpoint) is None
    try:
        base = fingerprint(checkpoint)
        for language in ("lad", "myx"):
            save_adapter(folder / f"{language}.safetensors", made(language, base))
        bank = load_bank(checkpoint)
        assert bank is not None
        assert bank.codes == ("lad", "myx")
        save_adapter(folder / "zzz.safetensors", made("lad", base))
        with pytest.raises(ModelError, match=r"zzz.*second adapter for 'lad'"):
            load_bank(checkpoint)
        save_adapter(elsewhere / "spa.safetensors", made("spa", base))
        bank = load_bank(checkpoint, elsewhere)  # instead of those beside it
        assert bank is not None
        assert bank.codes == ("spa",)
        with pytest.raises(ModelError, match=r"none: is not a folder of adapters"):
            load_bank(checkpoint, elsewhere / "none")
    finally:
        for path in folder.glob("*"):
            path.unlink()
        folder.rmdir()
