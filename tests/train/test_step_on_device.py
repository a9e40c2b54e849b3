"""A training step on a device that refuses what CUDA refuses: loss and gradients are those of the CPU."""

import contextlib
import copy

import pytest
import torch

from speech.data.batches import TrainBatches
from speech.data.manifest import read_manifest
from speech.text.normalize import plain_text
from speech.train.asr.init import build_model, build_tokenizer
from speech.train.asr.module import CtcModule
from tests.changes import changed
from tests.fake_device import DEVICE, FakeDevice
from tests.train.asr.test_run import tiny


@pytest.mark.parametrize("chunked", [False, True])
def test_a_step_asks_for_nothing_that_is_elsewhere(corpus, tmp_path, monkeypatch, chunked):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # knows no such device
    config = tiny(corpus, tmp_path)
    config = changed(config, {"chunk.probability": float(chunked)})
    utterances = read_manifest(corpus / "train.jsonl", corpus)
    tokenizer = build_tokenizer(config, utterances)
    torch.manual_seed(1)
    model = build_model(config, tokenizer, utterances)
    batches = TrainBatches(utterances, tokenizer, config.data.batches, None, plain_text)
    batch = batches.batch(0, 0)

    def step(module: CtcModule, place: str | torch.device) -> tuple[float, dict[str, torch.Tensor]]:
        loss, _ = module.loss(batch.to(place), torch.Generator().manual_seed(3))
        loss.backward()
        return float(loss.detach()), {n: p.grad.cpu() for n, p in module.named_parameters() if p.grad is not None}

    here, gradients = step(CtcModule(copy.deepcopy(model), config), "cpu")
    with FakeDevice():
        there, found = step(CtcModule(model, config).to(DEVICE), DEVICE)
    assert there == pytest.approx(here, rel=1e-4)
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-4, rtol=1e-3)
