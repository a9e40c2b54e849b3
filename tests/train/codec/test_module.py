"""The step of a codec: what reaches the codec and what the discriminators, and from which step on."""

import pytest
import torch

from speech.train.codec.batches import CodecBatch
from speech.train.codec.discriminators import Discriminators
from speech.train.codec.module import CodecModule
from tests.changes import changed
from tests.tiny_codec import tiny_codec
from tests.train.codec.corpus import tiny


def module(step: int, tmp_path, **changes: object) -> CodecModule:
    """A module that believes to be at a step."""
    torch.manual_seed(1)
    cls = type("AtStep", (CodecModule,), {"global_step": step})
    return cls(tiny_codec().train(), changed(tiny(tmp_path, tmp_path), changes))


def batch(*lengths: int) -> CodecBatch:
    generator = torch.Generator().manual_seed(0)
    samples = 0.1 * torch.randn(len(lengths), max(lengths), generator=generator)
    for row, length in enumerate(lengths):
        samples[row, length:] = 0
    names = [str(n) for n in range(len(lengths))]
    return CodecBatch(samples=samples, sample_lengths=torch.tensor(lengths), sample_rate=8000, ids=names)


def gradients(made: torch.nn.Module) -> list[bool]:
    return [p.grad is not None and bool(p.grad.any()) for p in made.parameters()]


def test_before_the_discriminators_begin_they_are_not_asked(tmp_path, monkeypatch):
    found = module(2, tmp_path)
    monkeypatch.setattr(Discriminators, "forward", lambda *_: pytest.fail("asked"))
    loss, parts = found.loss(batch(2000, 1500), torch.Generator())
    assert parts.keys() == {"mel", "stft"}
    assert float(loss.detach()) == pytest.approx(float(parts["mel"] + parts["stft"]), rel=1e-5)
    loss.backward()
    assert all(gradients(found.codec))
    assert not any(gradients(found.discriminators))


def test_at_first_discriminators_only_learn(tmp_path):
    alone, without = module(3, tmp_path), module(2, tmp_path)
    loss, parts = alone.loss(batch(2000, 1500), torch.Generator().manual_seed(0))
    assert parts.keys() == {"mel", "stft", "adversarial", "features", "discriminators"}
    assert loss.item() == pytest.approx(sum(float(parts[name]) for name in ("mel", "stft", "discriminators")))
    loss.backward()
    without.loss(batch(2000, 1500), torch.Generator())[0].backward()
    assert any(gradients(alone.discriminators))
    for p, wanted in zip(alone.codec.parameters(), without.codec.parameters(), strict=True):
        torch.testing.assert_close(p.grad, wanted.grad)


def test_then_both_learn_from_gradients_of_their_own(tmp_path):
    found = module(4, tmp_path)
    loss, parts = found.loss(batch(2000, 1500), torch.Generator().manual_seed(0))
    assert parts.keys() == {"mel", "stft", "adversarial", "features", "discriminators"}
    assert float(loss.detach()) == pytest.approx(float(sum(parts.values())), rel=1e-5)
    loss.backward()
    assert all(gradients(found.codec))
    kernels = [p.grad for name, p in found.discriminators.named_parameters() if "weight" in name]
    assert all(bool(gradient.any()) for gradient in kernels)  # those of biases cancel while no place is judged well
    theirs = [p.grad.clone() for p in found.discriminators.parameters()]
    ours = [p.grad.clone() for p in found.codec.parameters()]
    again = module(4, tmp_path, **{"codec_loss.adversarial": 0.0, "codec_loss.features": 0.0})
    again.loss(batch(2000, 1500), torch.Generator().manual_seed(0))[0].backward()
    for wanted, p in zip(theirs, again.discriminators.parameters(), strict=True):
        torch.testing.assert_close(p.grad, wanted)
    changes = [not torch.allclose(p.grad, old) for p, old in zip(again.codec.parameters(), ours, strict=True)]
    assert all(changes)


def test_what_lies_beyond_an_utterance_is_not_judged(tmp_path):
    short = batch(2000, 1500)
    filled = batch(2000, 1500)
    filled.samples[1, 1500:] = 0.0
    first, second = (module(0, tmp_path).loss(b, None)[1] for b in (short, filled))
    assert first["mel"] == second["mel"]
    alone = module(0, tmp_path).loss(batch(2000), None)[1]
    assert alone["mel"] != first["mel"]


@torch.inference_mode()
def test_dev_counts_the_codes_of_real_frames(tmp_path, monkeypatch):
    found, logged = module(0, tmp_path), {}
    monkeypatch.setattr(CodecModule, "log_dict", lambda self, values: logged.update(values))
    loss, parts = found.loss(batch(2000, 1500), None)
    assert float(loss) == pytest.approx(float(parts["mel"] + parts["stft"]))
    assert found._counts.sum(dim=1).tolist() == [26 + 20] * 2  # ceil((samples + 60) / 80)
    found.on_validation_epoch_end()
    assert logged.keys() == {f"dev/{a}{b}" for a in ("used", "perplexity") for b in ("", "_0", "_1")}
    assert 1 / 12 <= float(logged["dev/used"]) <= 1
    assert 1 <= float(logged["dev/perplexity"]) <= 12
    found.on_validation_epoch_start()
    assert not found._counts.any()


def test_a_frozen_encoder_has_no_gradient_and_the_decoder_has(tmp_path):
    found = module(0, tmp_path, start="somewhere", freeze_encoder=True)
    found.loss(batch(2000), torch.Generator())[0].backward()
    assert not any(gradients(found.codec.encoder))
    assert not any(gradients(found.codec.quantizer))
    assert all(gradients(found.codec.decoder))
    trained = {id(p) for group in optimizer(found).param_groups for p in group["params"]}
    assert not trained & {id(p) for p in found.codec.encoder.parameters()}
    assert {id(p) for p in found.codec.decoder.parameters()} <= trained


def optimizer(found: CodecModule) -> torch.optim.Optimizer:
    return found.configure_optimizers()["optimizer"]


def test_discriminators_have_a_rate_of_their_own_that_warms_up_when_they_begin(tmp_path):
    found = module(0, tmp_path, **{"optimizer.weight_decay": 0.1})
    made = found.configure_optimizers()
    groups = made["optimizer"].param_groups
    assert [(g["initial_lr"], g["begins"], g["weight_decay"]) for g in groups] == [
        (3e-3, 0, 0.1), (3e-3, 0, 0.0), (1.5e-3, 3, 0.1), (1.5e-3, 3, 0.0),
    ]  # fmt: skip
    assert [g["lr"] for g in groups] == [3e-3, 3e-3, 0.0, 0.0]
    assert sum(len(g["params"]) for g in groups) == len([*found.codec.parameters(), *found.discriminators.parameters()])
    clipped = found.clipped(made["optimizer"])
    assert [len(group) for group in clipped] == [len(gradients(m)) for m in (found.codec, found.discriminators)]


def test_the_state_of_a_run_has_each_tensor_once(tmp_path):
    names = module(0, tmp_path).state_dict().keys()
    assert {name.split(".")[0] for name in names} == {"model", "discriminators", "balancer"}
    assert names >= {"balancer.norm_mel", "balancer.weight_features"}
