"""The training step of an end-of-turn model."""

import math

import pytest
import torch

from speech.train.end_of_turn.batches import TurnBatch
from speech.train.end_of_turn.module import EndOfTurnModule, TurnEndNetwork
from tests.turns import tiny

BATCH = TurnBatch(
    features=torch.tensor([0, 1, 2, 1]), starts=torch.tensor([0, 2]), finished=torch.tensor([1.0, 0.0]), ids=["a", "b"]
)


def test_a_score_is_the_sum_of_weights():
    network = TurnEndNetwork(3)
    with torch.no_grad():
        network.weights.weight.copy_(torch.tensor([[1.0], [2.0], [-4.0]]))
        network.bias.fill_(0.5)
    assert network(BATCH.features, BATCH.starts).tolist() == [3.5, -1.5]


def test_the_loss_is_the_cross_entropy_and_has_gradients_of_what_occurs(tmp_path):
    module = EndOfTurnModule(TurnEndNetwork(4), tiny(tmp_path, tmp_path))
    loss, parts = module.loss(BATCH, torch.Generator())
    assert float(parts["entropy"]) == pytest.approx(math.log(2))
    loss.backward()
    assert module.model.weights.weight.grad[:, 0].tolist() == pytest.approx([-0.25, 0, 0.25, 0])
    assert not module._scored
    module.loss(BATCH, None)
    assert len(module._scored) == 1
