"""LoRA: nothing but small updates learns, and they end up in the weights."""

import sys

import pytest
import torch

from speech.errors import ConfigError
from speech.train.speech_lm.config import LoraConfig
from speech.train.speech_lm.lora import LoraWrapping
from tests.tiny_dual_ar import tiny_dual_ar


def scores(model):
    x = model(torch.tensor([[0, 265, 266]]), torch.ones(1, 2, 3, dtype=torch.int64))[0]
    return torch.cat(list(map(torch.flatten, model.scores(x, torch.arange(3), torch.ones(3, 2, dtype=torch.int64)))))


def test_updates_alone_learn_and_are_merged():
    pytest.importorskip("peft")
    model = tiny_dual_ar()
    before, wanted = {name: own.clone() for name, own in model.state_dict().items()}, scores(model)
    wrapping = LoraWrapping(model, LoraConfig(rank=2, alpha=4))
    torch.testing.assert_close(scores(model), wanted)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == 2 * 4 * 4
    assert all(".lora_" in name for name in trained)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_()
    learned = scores(model)
    assert not torch.allclose(learned, wanted, atol=0.1)
    merged = wrapping.merged()
    torch.testing.assert_close(scores(merged), learned, atol=1e-4, rtol=1e-4)
    assert merged is model
    after = merged.state_dict()
    assert after.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert len(changed) == 4 * 4
    assert all(p.requires_grad for p in merged.parameters())


def test_without_peft_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match="LoRA needs peft"):
        LoraWrapping(tiny_dual_ar(), LoraConfig(rank=2))
