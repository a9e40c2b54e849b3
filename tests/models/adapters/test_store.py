"""A folder of adapters: what comes appears whole, and only what fits."""

import pytest

from speech.errors import ModelError
from speech.models.adapters.file import fingerprint, load_bank
from speech.models.adapters.store import entries, put, remove
from tests.models.adapters.test_file import made, saved


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_put_lies_under_its_language(tmp_path, checkpoint):
    data = saved(tmp_path / "any_name.safetensors", made("lad", fingerprint(checkpoint))).read_bytes()
    info, item = put(tmp_path / "new" / "adapters", data, fingerprint(checkpoint), where="it")
    assert info.path == tmp_path / "new" / "adapters" / "lad.safetensors"
    assert info.path.read_bytes() == data
    assert (info.language, item.language, info.size) == ("lad", "lad", len(data))
    assert names(info.path.parent) == ["lad.safetensors"]
    bank = load_bank(checkpoint, info.path.parent)
    assert bank is not None
    assert bank.codes == ("lad",)


def test_one_that_is_there_is_replaced_only_on_demand(tmp_path):
    folder = tmp_path / "adapters"
    old = saved(folder / "older.safetensors", made("lad")).read_bytes()
    new = saved(tmp_path / "lad.safetensors", made("lad")).read_bytes()
    with pytest.raises(ModelError, match=r"it: there is an adapter for 'lad' already: .*older"):
        put(folder, new, None, where="it", replace=False)
    assert (folder / "older.safetensors").read_bytes() == old
    put(folder, new, None, where="it")
    assert names(folder) == ["lad.safetensors"]
    assert (folder / "lad.safetensors").read_bytes() == new


@pytest.mark.parametrize("wrong", ["base", "size", "text", "cut"])
def test_what_does_not_fit_leaves_nothing_behind(tmp_path, model, wrong):
    data = saved(tmp_path / "lad.safetensors", made("lad", dim=16 if wrong == "size" else 32)).read_bytes()
    data = {"text": b"text", "cut": data[:-5]}.get(wrong, data)
    base = "1" * 64 if wrong == "base" else "0" * 64
    says = {"base": "for another model", "size": "for frames of 16", "text": "cannot be read", "cut": "cannot be read"}
    with pytest.raises(ModelError, match=f"it: .*{says[wrong]}"):
        put(tmp_path / "adapters", data, base, model, where="it")
    assert not (tmp_path / "adapters").exists()


def test_what_cannot_be_written_is_said(tmp_path):
    data = saved(tmp_path / "lad.safetensors", made("lad")).read_bytes()
    with pytest.raises(ModelError, match="cannot be written: Not a directory"):
        put(tmp_path / "lad.safetensors" / "adapters", data, None, where="it")


def test_entries_come_by_language_and_each_once(tmp_path):
    assert entries(tmp_path / "none") == []
    for code in ("myx", "lad"):
        saved(tmp_path / f"{code}.safetensors", made(code))
    assert [info.language for info in entries(tmp_path)] == ["lad", "myx"]
    saved(tmp_path / "zzz.safetensors", made("lad"))
    with pytest.raises(ModelError, match=r"zzz.*second adapter for 'lad'"):
        entries(tmp_path)


def test_what_is_removed_is_gone_under_any_name_and_damaged(tmp_path):
    saved(tmp_path / "other.safetensors", made("lad"))
    (tmp_path / "myx.safetensors").write_text("damaged")
    assert remove(tmp_path, "lad") == [tmp_path / "other.safetensors"]
    assert remove(tmp_path, "myx") == [tmp_path / "myx.safetensors"]
    with pytest.raises(ModelError, match=r"has no adapter for 'lad'. There are: none"):
        remove(tmp_path, "lad")
