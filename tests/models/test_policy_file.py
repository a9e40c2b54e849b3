"""A policy on disk is what it was, and decides for its own label model alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from speech.errors import ModelError
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import LabelCheckpoint, load_label_checkpoint, save_label_checkpoint
from speech.models.policy_file import POLICY, PolicyFile, load_monotonic, load_policy, save_policy
from speech.nn.policy_network import PolicyConfig, PolicyNetwork
from tests.tiny_decoder import random
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper


def made(base: str = "a" * 64, *, dim: int = 32, layers: int = 2) -> PolicyFile:
    torch.manual_seed(3)
    network = PolicyNetwork(PolicyConfig(pooling=3, shared=False, bias=-0.125), dim, layers, heads=4)
    return PolicyFile(network, base, "# policy\n\nCC-BY-4.0")


@pytest.fixture(scope="module")
def label(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "label"
    save_label_checkpoint(path, LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {}), card="")
    return path


def test_it_comes_back_as_it_was(tmp_path):
    item = made()
    save_policy(tmp_path / POLICY, item)
    found = load_policy(tmp_path / POLICY, item.base)
    assert (found.base, found.card, found.network.config) == (item.base, item.card, item.network.config)
    frames, x = random(1, 10, 32), random(1, 4, 32, seed=1)
    for layer in (0, 1):
        expected = item.network(layer, x, item.network.begin(frames))
        assert torch.equal(found.network(layer, x, found.network.begin(frames)), expected)
    assert not any(parameter.requires_grad for parameter in found.network.parameters())


def test_another_base_and_what_is_no_policy_are_refused(tmp_path):
    save_policy(tmp_path / POLICY, made("a" * 64))
    with pytest.raises(
        ModelError, match=r"policy.*another label model: trained with aaaaaaaaaaaa, this is bbbbbbbbbbbb"
    ):
        load_policy(tmp_path / POLICY, "b" * 64)
    with pytest.raises(ModelError, match="cannot be read"):
        load_policy(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="is no policy"):
        load_policy(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    "changes",
    [{"config": "{}}"}, {"config": '{"width": 3}'}, {"shape": '{"dim": 64, "layers": 2, "heads": 4}'}, {"shape": "[]"}],
)
def test_a_damaged_file_is_said(tmp_path, changes):
    path = tmp_path / POLICY
    save_policy(path, made())
    with safe_open(path, "pt") as file:
        before = file.metadata()
    save_file(load_file(path), path, metadata=before | changes)
    with pytest.raises(ModelError, match="is damaged"):
        load_policy(path)


def test_a_label_model_has_the_policy_beside_it_and_no_other(label, tmp_path):
    cpu = torch.device("cpu")
    assert load_monotonic(label, cpu) is None
    folder = tmp_path / "label"
    save_label_checkpoint(folder, load_label_checkpoint(label), card="")
    save_policy(folder / POLICY, made(fingerprint(folder)))
    found = load_monotonic(folder, cpu)
    assert found is not None
    chances = found.write(torch.tensor([[257, 3, 4]]), random(1, 10, 32), 8)
    assert chances.shape == (1, 3)
    save_policy(folder / POLICY, made())
    with pytest.raises(ModelError, match="another label model"):
        load_monotonic(folder, cpu)
    save_policy(folder / POLICY, made(fingerprint(folder), layers=3))
    with pytest.raises(ModelError, match="is for 3 layers of 32; the decoder has 2 of 32"):
        load_monotonic(folder, cpu)
