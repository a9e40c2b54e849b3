"""Names become directories, or clear errors."""

import huggingface_hub
import pytest
from huggingface_hub.utils import filter_repo_objects

from speech.errors import ModelError
from speech.models import hub


def test_a_directory_is_itself(tmp_path):
    assert hub.locate(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("name", "folder", "fix"), [("embedded", "model", "owsm_ctc/train"), ("embedded-voice", "voice", "speech import")]
)
def test_an_embedded_model_is_a_folder_of_the_package(monkeypatch, tmp_path, name, folder, fix):
    monkeypatch.setattr(hub, "files", lambda package: tmp_path)
    with pytest.raises(ModelError, match=f"{name}: this version ships no such model.*{fix}"):
        hub.locate(name)
    (tmp_path / "assets" / folder).mkdir(parents=True)
    assert hub.locate(name) == tmp_path / "assets" / folder


def test_a_name_that_is_nothing_is_refused():
    with pytest.raises(ModelError, match=r'no such model.* "embedded", or "embedded-voice"'):
        hub.locate("nothing")
    with pytest.raises(ModelError, match="no such file"):
        hub.locate_file("nothing", "model.safetensors")


def test_a_hub_id_is_fetched(monkeypatch, tmp_path):
    asked: list[list[str]] = []

    def fetch(name, *, allow_patterns, ignore_patterns):
        asked.extend([allow_patterns, ignore_patterns])
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda name, file: str(tmp_path / name / file))
    assert hub.locate("owner/model") == tmp_path / "owner" / "model"
    wanted = [
        "model.safetensors",
        "config.json",
        "tokenizer.model",
        "README.md",
        "adapters/ita.safetensors",
        "exp/a.pth",
        "model.bin",
        "voices/af_heart.pt",
    ]
    other = ["setup.py", "model.pkl", "pytorch_model.bin", "model.pt", "run.sh", "model.onnx", "a.npy"]
    other += ["model.fp32-00001-of-00002.safetensors"]
    fetched = filter_repo_objects([*wanted, *other], allow_patterns=asked[0], ignore_patterns=asked[1])
    assert list(fetched) == wanted
    assert hub.locate_file("owner/model", "a.bin") == tmp_path / "owner" / "model" / "a.bin"


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch):
    def refuse(name, **_):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ModelError, match="no network"):
        hub.locate("owner/model")
