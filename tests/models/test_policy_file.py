"""A policy on disk is what it was, and decides for its own label model alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from speech.choices import Storage
from speech.errors import ModelError
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import LabelCheckpoint, load_label_checkpoint, save_label_checkpoint
from speech.models.policy_file import POLICY, PolicyFile, load_policy, policy_beside, save_policy
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


@pytest.mark.parametrize(("storage", "size"), [(Storage.float32, 4.0), (Storage.float16, 2.0), (Storage.int8, 1.0)])
def test_its_matrices_take_the_space_of_their_number_format_and_decide_alike(tmp_path, storage, size):
    item = made()
    save_policy(tmp_path / POLICY, item, storage)
    stored = load_file(tmp_path / POLICY)
    matrices = [tensor for tensor in stored.values() if tensor.dim() == 2]
    assert len(matrices) == 8
    assert all(tensor.element_size() == size for tensor in matrices)
    found = load_policy(tmp_path / POLICY).network
    assert {parameter.dtype for parameter in found.parameters()} == {torch.float32}
    asked, frames = random(1, 2, 4, 32, seed=1), random(1, 10, 32)
    wanted = item.network.stepwise(asked, item.network.begin(frames))
    torch.testing.assert_close(found.stepwise(asked, found.begin(frames)), wanted, atol=0.02, rtol=0)


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
    cpu, shape = torch.device("cpu"), tiny_whisper().config.decoder
    assert policy_beside(label, shape, cpu) is None
    folder = tmp_path / "label"
    save_label_checkpoint(folder, load_label_checkpoint(label), card="")
    save_policy(folder / POLICY, made(fingerprint(folder)))
    found = policy_beside(folder, shape, cpu)
    assert found is not None
    assert found.at_end(random(1, 2, 3, 32), random(1, 10, 32, seed=1), 8).shape == (1, 3)
    save_policy(folder / POLICY, made())
    with pytest.raises(ModelError, match="another label model"):
        policy_beside(folder, shape, cpu)
    save_policy(folder / POLICY, made(fingerprint(folder), layers=3))
    with pytest.raises(ModelError, match="is for 3 layers of 32; the decoder has 2 of 32"):
        policy_beside(folder, shape, cpu)
