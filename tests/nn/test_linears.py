"""Copies of a model with other layers in it share everything else."""

import torch
from torch import nn

from speech.nn.linears import in_float32, quantized, shared_copy, with_layers


class Doubled(nn.Module):
    """Twice what a linear layer says."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.linear(x)


def test_whole_numbers_and_their_scales_become_one_tensor_and_come_back():
    whole, scales = torch.tensor([[1, -128], [127, 0]], dtype=torch.int8), torch.tensor([0.5, 0.25])
    stored = quantized(whole, scales)
    assert torch.equal(stored.int_repr(), whole)
    assert in_float32(stored).tolist() == [[0.5, -64.0], [31.75, 0.0]]


def test_a_weight_in_bfloat16_is_read_in_float32_without_a_gradient():
    found = in_float32(nn.Parameter(torch.tensor([1.5]).bfloat16()))
    assert found.dtype == torch.float32
    assert not found.requires_grad


def test_other_layers_stand_in_a_copy_and_the_rest_is_shared():
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 1))
    copied, x = with_layers(model, {nn.Linear: Doubled}), torch.randn(3, 2)
    assert [type(layer) for layer in copied] == [Doubled, nn.LayerNorm, Doubled]
    assert [type(layer) for layer in model] == [nn.Linear, nn.LayerNorm, nn.Linear]
    assert copied[1].weight is model[1].weight
    torch.testing.assert_close(copied[0](x), 2 * model[0](x))
    again = with_layers(copied, {nn.Linear: Doubled})
    assert again[0] is copied[0], "a layer that is replaced already is shared"


def test_a_part_is_replaced_wherever_it_stands():
    norm = nn.LayerNorm(2)
    model, other = nn.ModuleList([norm, nn.Linear(2, 2), norm]), nn.Identity()
    copied = shared_copy(model, {id(norm): other})
    assert copied[0] is copied[2] is other
    assert copied[1] is not model[1]
    assert copied[1].weight is model[1].weight
