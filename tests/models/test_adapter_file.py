"""An adapter on disk is what it was, and fits its own model only."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from speech.errors import ModelError
from speech.models.adapter_file import FOLDER, AdapterFile, fingerprint, load_adapter, load_bank, save_adapter
from speech.nn.adapters import Adapter


def made(language: str, base: str = "0" * 64) -> AdapterFile:
    adapter = Adapter([1, 3], 32, 4, ["α", "ω"])
    with torch.no_grad():
        adapter.up.normal_()
        adapter.rows.normal_()
    return AdapterFile(adapter, language, base, f"# {language}\n\nCC-BY-4.0", {"dev_cer": 0.25})


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
    save_adapter(tmp_path / "cut.safetensors", made("lad"))
    tensors = load_file(tmp_path / "cut.safetensors")
    metadata = {"format": "speech adapter 1", "language": "lad", "layers": "[1]", "tokens": "[]"}
    metadata |= {"base": "", "scores": "{}", "card": ""}
    save_file(tensors, tmp_path / "cut.safetensors", metadata=metadata)
    with pytest.raises(ModelError, match=r"cut.*is damaged"):
        load_adapter(tmp_path / "cut.safetensors")


def test_the_adapters_beside_a_checkpoint_make_a_bank(checkpoint):
    folder = checkpoint / FOLDER
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
    finally:
        for path in folder.glob("*"):
            path.unlink()
        folder.rmdir()
