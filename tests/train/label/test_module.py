"""A step of a label decoder: what it minimises, what the teacher says, and what stays as it is."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from torch import Tensor

from speech.train.label.batches import NO_TARGET, LabelBatch, LabelBatches
from speech.train.label.config import LabelConfig, LabelLossConfig
from speech.train.label.module import LabelModule
from tests.fake_device import DEVICE, FakeDevice
from tests.tiny_whisper import tiny_whisper
from tests.train.label.rows import MOST_TOKENS, TOKENIZER, heard, settings

__all__ = ["heard"]  # a fixture

GENERATOR = torch.Generator()


def module(**loss: float) -> LabelModule:
    return LabelModule(tiny_whisper(), LabelConfig(label_loss=LabelLossConfig(**loss)))


def joined(heard, **changes: object) -> LabelBatch:
    made = settings(**({"joined": 1.0, "joined_s": [2.5, 4.0]} | changes))
    return LabelBatches(heard, TOKENIZER, made, MOST_TOKENS, 1, None).batch(0, 0)


def padded(batch: LabelBatch) -> LabelBatch:
    """With silence up to 30 s that counts as heard."""
    samples = torch.zeros(len(batch), 30 * 16000)
    samples[:, : batch.samples.shape[1]] = batch.samples
    batch.samples, batch.sample_lengths = samples, torch.full((len(batch),), 30 * 16000)
    return batch


def test_the_objective_is_the_cross_entropy_of_targets_and_of_the_language(heard):
    batch = joined(heard, joined=0.0, single=6)
    step = module(language=0.3)
    total, parts = step.loss(batch, None)
    whisper = step._whisper[0]
    with torch.no_grad():
        chances = whisper(batch.samples, batch.sample_lengths, batch.tokens).log_softmax(dim=-1)
    said = [
        -float(chances[row, place, target])
        for row, targets in enumerate(batch.targets.tolist())
        for place, target in enumerate(targets)
        if target != NO_TARGET
    ]
    language = [-float(chances[row, 0, token]) for row, token in enumerate(batch.heard.tolist())]
    assert float(parts["text"]) == pytest.approx(sum(said) / len(said), rel=1e-4)
    assert float(parts["language"]) == pytest.approx(sum(language) / len(language), rel=1e-4)
    assert float(total.detach()) == pytest.approx(float(parts["text"]) + 0.3 * float(parts["language"]), rel=1e-5)
    assert set(parts) == {"text", "language"}  # on dev, nobody asks the teacher


def test_the_language_is_learned_behind_the_token_that_begins_a_transcript_whatever_is_told_before(heard):
    batch = joined(heard, joined=0.0, single=6, context=1.0)
    assert {int(start) > 0 for start in batch.starts} == {True}
    step = module()
    whisper = step._whisper[0]
    with torch.no_grad():
        chances = whisper(batch.samples, batch.sample_lengths, batch.tokens).log_softmax(dim=-1)
    wanted = [
        -float(chances[row, start, token])
        for row, (start, token) in enumerate(zip(batch.starts.tolist(), batch.heard.tolist(), strict=True))
    ]
    assert float(step.loss(batch, None)[1]["language"]) == pytest.approx(sum(wanted) / len(wanted), rel=1e-4)


def test_a_row_does_not_depend_on_its_batch_mates(heard):
    batch = joined(heard, joined=0.0, single=6)
    losses = []
    for row in range(len(batch)):
        own = LabelBatch(
            samples=batch.samples[row : row + 1, : batch.sample_lengths[row]],
            sample_lengths=batch.sample_lengths[row : row + 1],
            **{
                name: getattr(batch, name)[row : row + 1]
                for name in ("tokens", "targets", "heard", "starts", "taught", "learned")
            },
            ids=batch.ids[row : row + 1],
        )
        losses.append((float(module().loss(own, None)[1]["text"]), int((own.targets != NO_TARGET).sum())))
    mean = sum(loss * count for loss, count in losses) / sum(count for _, count in losses)
    assert float(module().loss(batch, None)[1]["text"]) == pytest.approx(mean, rel=1e-4)


def test_a_pupil_that_is_the_teacher_and_hears_the_same_differs_in_nothing(heard):
    parts = module().loss(padded(joined(heard)), GENERATOR)[1]
    assert float(parts["teacher"]) == pytest.approx(0.0, abs=1e-5)


def test_at_true_length_it_differs_and_the_teacher_weighs_what_it_is_told(heard):
    batch = joined(heard)
    total, parts = module(teacher=2.0, language=0.0).loss(batch, GENERATOR)
    assert float(parts["teacher"]) > 1e-4
    assert float(total.detach()) == pytest.approx(float(parts["text"]) + 2 * float(parts["teacher"]), rel=1e-4)


def test_the_teacher_stays_what_it_was_when_the_pupil_moves(heard):
    step = module()
    with torch.no_grad():
        for parameter in step.model.layers.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    changed = float(step.loss(padded(joined(heard)), GENERATOR)[1]["teacher"])
    assert changed > 0.01


def test_only_rows_that_are_taught_ask_the_teacher(heard):
    batch = joined(heard)
    batch.taught[0] = False
    alone = float(module().loss(batch, GENERATOR)[1]["teacher"])
    second = LabelBatch(
        samples=batch.samples[1:], sample_lengths=batch.sample_lengths[1:], tokens=batch.tokens[1:],
        targets=batch.targets[1:], heard=batch.heard[1:], starts=batch.starts[1:], taught=batch.taught[1:],
        learned=batch.learned[1:],
        ids=batch.ids[1:],
    )  # fmt: skip
    assert alone == pytest.approx(float(module().loss(second, GENERATOR)[1]["teacher"]), rel=1e-3)
    batch.taught[:] = False
    assert float(module().loss(batch, GENERATOR)[1]["teacher"]) == 0.0
    assert float(module(teacher=0.0).loss(joined(heard), GENERATOR)[1]["teacher"]) == 0.0


def synthetic(heard, **changes: object) -> LabelBatch:
    made = settings(**({"synthetic_share": 1.0, "synthetic_rows": 3} | changes))
    return LabelBatches(heard, TOKENIZER, made, MOST_TOKENS, 1, None, synthetic=heard).batch(0, 0)


def test_synthetic_rows_are_learned_from_the_teacher_alone_and_so_is_their_language(heard):
    batch, step = synthetic(heard), module(teacher=2.0)
    total, parts = step.loss(batch, GENERATOR)
    asked = batch.targets != NO_TARGET
    asked[:, 0] = True
    whisper, silence = step._whisper[0], padded(copy.copy(batch))
    with torch.no_grad():
        pupil = whisper(batch.samples, batch.sample_lengths, batch.tokens)[asked].log_softmax(dim=-1)
        teacher = whisper(silence.samples, silence.sample_lengths, batch.tokens)[asked].log_softmax(dim=-1)
    wanted = float((teacher.exp() * (teacher - pupil)).sum(dim=-1).mean())
    assert float(parts["teacher"]) == pytest.approx(wanted, rel=1e-3)
    assert float(total.detach()) == pytest.approx(2 * wanted, rel=1e-3)
    assert float(parts["text"]) > 0  # for the records
    total.backward()
    found = [parameter.grad.clone() for parameter in step.model.layers.parameters()]
    other = copy.copy(batch)
    other.heard = torch.full_like(batch.heard, TOKENIZER.languages["spa"])  # what the manifest says counts for nothing
    again = module(teacher=2.0)
    again.loss(other, GENERATOR)[0].backward()
    assert all(torch.equal(one, two.grad) for one, two in zip(found, again.model.layers.parameters(), strict=True))


def test_a_pupil_that_hears_synthetic_rows_as_the_teacher_does_learns_nothing(heard):
    batch = padded(synthetic(heard, translate=1.0))
    assert (batch.tokens[:, 2] == TOKENIZER.translate).any()
    total, parts = module().loss(batch, GENERATOR)
    assert float(parts["teacher"]) == pytest.approx(0.0, abs=1e-5)
    assert float(total.detach()) == pytest.approx(0.0, abs=1e-5)


def test_rows_that_are_learned_do_not_feel_those_that_are_only_taught(heard):
    batch = joined(heard, joined=0.0, single=6)
    batch.learned[2:], batch.taught[2:] = False, True
    _, parts = module().loss(batch, GENERATOR)
    first = {"ids": batch.ids[:2]} | {
        name: getattr(batch, name)[:2]
        for name in ("samples", "sample_lengths", "tokens", "targets", "heard", "starts", "taught", "learned")
    }
    _, own = module().loss(LabelBatch(**first), GENERATOR)
    assert float(parts["text"]) == pytest.approx(float(own["text"]), rel=1e-4)
    assert float(parts["language"]) == pytest.approx(float(own["language"]), rel=1e-4)
    assert float(parts["teacher"]) > 0 == float(own["teacher"])


def test_layers_alone_get_gradients(heard):
    step = module()
    step.loss(joined(heard), GENERATOR)[0].backward()
    whisper = step._whisper[0]
    assert all(parameter.grad is None for parameter in whisper.encoder.parameters())
    assert whisper.decoder.embed.weight.grad is None
    assert whisper.decoder.positions.grad is None
    assert all(parameter.grad is None for parameter in step._teacher[0].parameters())
    moved = [*whisper.decoder.layers.named_parameters(), *whisper.decoder.norm.named_parameters()]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for _, parameter in moved)
    optimizer = step.configure_optimizers()["optimizer"]
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert trained == {id(parameter) for _, parameter in moved}


def test_what_is_written_down_is_the_decoder_alone():
    assert all(name.startswith("model.") for name in module().state_dict())
    assert module().state_dict().keys() == {f"model.{name}" for name in tiny_whisper().decoder.state_dict()}


def test_a_step_asks_for_nothing_that_is_elsewhere(heard, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # knows no such device
    batch, whisper = joined(heard), tiny_whisper()

    def step(own: LabelModule, place: str | torch.device) -> tuple[float, dict[str, Tensor]]:
        loss, _ = own.loss(batch.to(place), GENERATOR)
        loss.backward()
        return float(loss.detach()), {n: p.grad.cpu() for n, p in own.named_parameters() if p.grad is not None}

    here, gradients = step(LabelModule(copy.deepcopy(whisper), LabelConfig()), "cpu")
    with FakeDevice():
        there, found = step(LabelModule(whisper, LabelConfig()).to(DEVICE), DEVICE)
    assert there == pytest.approx(here, rel=1e-4)
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-4, rtol=1e-3, msg=name)


def test_features_are_exact_whatever_training_computes_in(heard):
    batch, step = joined(heard, joined=0.0), module()
    features: list[Tensor] = []
    step._whisper[0].encoder.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    for computing in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=computing):
            step.loss(batch, None)
    assert features[0].dtype == features[1].dtype == torch.float32
    assert torch.equal(features[0], features[1])
