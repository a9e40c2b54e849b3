"""A step of a policy: its losses by their definitions, and what learns."""

from __future__ import annotations

import pytest
import torch

from speech.models.monotonic_decoder import Expected
from speech.train.label.batches import NO_TARGET, LabelBatches
from speech.train.translation.config import DelayLossConfig, DistillationConfig, TranslationConfig
from speech.train.translation.module import TranslationModule, delays
from speech.translate.emma import delay_variance, expected_delay, expected_lagging
from tests.tiny_whisper import tiny_whisper
from tests.train.label.rows import MOST_TOKENS, TOKENIZER, settings
from tests.train.translation.corpus import ROWS, clips

GENERATOR = torch.Generator()


def module(**changes) -> TranslationModule:
    torch.manual_seed(5)
    usual = {"label": settings(**ROWS), "distillation": DistillationConfig(steps=0)}
    return TranslationModule(tiny_whisper(), TranslationConfig(**usual | changes))


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    spoken = clips(tmp_path_factory.mktemp("spoken"), 6)[:6]
    return LabelBatches(spoken, TOKENIZER, settings(**ROWS | {"joined": 1.0}), MOST_TOKENS, 1, None).batch(0, 0)


def test_the_loss_is_the_weighted_sum_and_on_dev_the_offline_decoder_is_beside_it(batch):
    step = module(delay_loss=DelayLossConfig(latency=0.3, variance=2.0))
    total, parts = step.loss(batch, None)
    wanted = parts["text"] + 0.3 * parts["lagging"] + 2.0 * parts["variance"]
    assert float(total.detach()) == pytest.approx(float(wanted), rel=1e-5)
    whisper = step._frozen[0][0]
    with torch.no_grad():
        chances = whisper(batch.samples, batch.sample_lengths, batch.tokens).log_softmax(-1)
    said = [
        -float(chances[row, place, target])
        for row, targets in enumerate(batch.targets.tolist())
        for place, target in enumerate(targets)
        if target != NO_TARGET
    ]
    assert float(parts["offline"]) == pytest.approx(sum(said) / len(said), rel=1e-4)
    assert "offline" not in step.loss(batch, GENERATOR)[1]


def test_the_first_steps_have_the_loss_of_distillation_alone(batch):
    step = module(distillation=DistillationConfig(steps=1, margin_s=0.1))
    total, parts = step.loss(batch, torch.Generator().manual_seed(1))
    assert parts.keys() == {"whole", "cut"}
    assert float(total.detach()) == pytest.approx(float(parts["whole"] + parts["cut"]), rel=1e-5)
    on_dev, both = step.loss(batch, None)
    assert float(on_dev.detach()) == pytest.approx(float(both["whole"] + both["cut"]), rel=1e-5)
    assert both.keys() == {"text", "lagging", "variance", "lagging_s", "offline", "whole", "cut"}
    total.backward()
    assert all(bool((parameter.grad != 0).any()) for parameter in step.network.parameters())


def test_alignatts_decisions_can_be_learned(batch):
    step = module(distillation=DistillationConfig(steps=100, margin_s=0.1))
    optimizer = torch.optim.Adam(step.network.parameters(), 3e-3)
    values = []
    for _ in range(60):
        total, _ = step.loss(batch, torch.Generator().manual_seed(1))
        values.append(float(total.detach()))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert values[-1] < 0.5 * values[0]


def test_a_policy_that_waits_for_the_end_is_the_offline_decoder(batch):
    step = module()
    with torch.no_grad():
        step.network.bias.fill_(-100.0)
    parts = step.loss(batch, None)[1]
    assert float(parts["text"]) == pytest.approx(float(parts["offline"]), abs=1e-4)
    assert float(parts["variance"]) == pytest.approx(0.0, abs=1e-5)
    assert float(parts["lagging"]) > 0.5


def test_delays_are_those_of_the_texts_tokens_in_shares_of_the_source():
    alpha = torch.rand(2, 1, 2, 6, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)
    groups, first, counts = torch.tensor([5, 4]), torch.tensor([2, 1]), torch.tensor([4, 2])
    lagging, variance = delays(Expected(torch.zeros(0), alpha, groups), first, counts)
    for row in range(2):
        begin, count, size = int(first[row]), int(counts[row]), int(groups[row])
        own = alpha[row, 0, :, begin : begin + count]  # (heads, count, groups)
        each = torch.tensor([size, size]), torch.tensor([count, count])
        wanted = expected_lagging(expected_delay(own), *each).mean() / size
        assert float(lagging[row]) == pytest.approx(float(wanted), rel=1e-5)
        assert float(variance[row]) == pytest.approx(float(delay_variance(own).mean()) / size**2, rel=1e-4)


def test_the_policy_alone_learns_unless_cross_attention_may_too(batch):
    for cross in (False, True):
        step = module(train_cross_attention=cross)
        step.loss(batch, GENERATOR)[0].backward()
        whisper = step._frozen[0][0]
        assert all(bool((parameter.grad != 0).any()) for parameter in step.network.parameters())
        learned = {name for name, parameter in whisper.decoder.named_parameters() if parameter.grad is not None}
        assert {name.split(".")[2] for name in learned} == ({"cross", "cross_norm"} if cross else set())
        assert all(parameter.grad is None for parameter in whisper.encoder.parameters())


def test_cross_attention_learns_at_its_own_rate():
    step = module(train_cross_attention=True, cross_lr=0.1)
    groups = step.configure_optimizers()["optimizer"].param_groups
    own = {id(parameter) for parameter in step.network.parameters()}
    rates = {id(p) in own: group["initial_lr"] for group in groups for p in group["params"]}
    assert rates[False] == pytest.approx(0.1 * rates[True])
    assert sum(len(group["params"]) for group in groups) == len(list(step.model.parameters()))
