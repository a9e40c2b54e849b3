"""Low-rank changes of some layers, of each language its own."""

import copy

import pytest
import torch

from speech.train.adapters.lora import LoraTuning, rank_for


@pytest.mark.parametrize(
    ("parameters", "dim", "layers", "budget", "rank"),
    [(30_000_000, 256, 6, 0.004, 20), (30_000_000, 256, 12, 0.004, 10), (1000, 256, 6, 0.004, 1)],
)
def test_the_rank_keeps_to_the_budget(parameters, dim, layers, budget, rank):
    assert rank_for(parameters, dim, layers, budget) == rank


def test_only_queries_and_values_of_the_layers_change_and_at_first_nothing_does(model, tmp_path):
    pytest.importorskip("peft")
    base = copy.deepcopy(model)
    tuning = LoraTuning(base, ["deu", "spa"], [2, 3], 4, {})
    names = [name for name, p in base.named_parameters() if any(p is own for own in tuning.parameters_of("deu"))]
    assert len(names) == 8
    assert all(name.split(".")[2] in "12" and ("query" in name or "value" in name) for name in names)
    assert not {id(p) for p in tuning.parameters_of("deu")} & {id(p) for p in tuning.parameters_of("spa")}
    assert base.encoder.frozen == 1
    features, lengths, prefix = torch.randn(1, 60, 80), torch.tensor([60]), torch.tensor([[1, 2]])
    with torch.inference_mode():
        tuning.begin("deu", 1)
        assert torch.equal(base.eval()(features, lengths, prefix).log_probs, model(features, lengths, prefix).log_probs)
    with torch.no_grad():
        for parameter in tuning.parameters_of("deu"):
            parameter.fill_(0.5)
    tuning.save(tmp_path, "deu", {})
    with torch.no_grad():
        for parameter in tuning.parameters_of("deu"):
            parameter.zero_()
    tuning.load(tmp_path, "deu")
    assert all(bool((parameter == 0.5).all()) for parameter in tuning.parameters_of("deu"))
