"""The CTC head in float32, rows that are added to it, and what is fed back."""

import pytest
import torch
from torch import nn

from speech.nn.cpu.int8 import int8_copy
from speech.nn.cpu.packed import packed_copy
from speech.nn.ctc import CTCHead, ExtendedHead, SelfConditioning, SparseConditioning


def test_the_head_normalises_in_float32_and_conditioning_adds_the_projection():
    head, conditioning = CTCHead(8, 5).bfloat16(), SelfConditioning(5, 8)
    log_probs = head(torch.randn(1, 3, 8).bfloat16())
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(1, 3))
    x = torch.zeros(1, 3, 8)
    torch.testing.assert_close(conditioning(x, log_probs), conditioning.linear(log_probs.exp()))


@torch.no_grad()
def test_what_is_fed_back_is_the_same_in_tiles_and_nearly_of_few_tokens(monkeypatch):
    head, conditioning = CTCHead(8, 50), SelfConditioning(50, 8)
    head.linear.weight *= 20  # peaked, as a trained head
    x = torch.randn(2, 30, 8)
    whole = conditioning(x, head(x))
    monkeypatch.setattr("speech.nn.ctc._TILE", 7 * 50)
    torch.testing.assert_close(conditioning.from_head(x, x, head), whole)
    few = SparseConditioning(conditioning, 10).from_head(x, x, head)
    torch.testing.assert_close(few, whole, atol=0.02, rtol=0.02)
    torch.testing.assert_close(SparseConditioning(conditioning, 10)(x, head(x)), few)


@pytest.mark.parametrize("copy", [lambda m: m, int8_copy, packed_copy, lambda m: m.bfloat16()])
def test_rows_added_to_a_head_share_one_softmax_with_it_in_whatever_numbers_it_is(copy):
    model = copy(nn.ModuleDict({"ctc": CTCHead(8, 50)}).requires_grad_(False))
    base, rows, bias = model["ctc"], torch.randn(3, 8), torch.randn(3)
    head, x = ExtendedHead(base, rows, bias), torch.randn(2, 9, 8).to(getattr(base.linear, "weight", rows).dtype)
    logits = torch.cat([base.linear(x).float(), x.float() @ rows.t() + bias], dim=-1)
    assert head.vocabulary == 53
    assert head(x).dtype == torch.float32
    torch.testing.assert_close(head(x), torch.log_softmax(logits, dim=-1), atol=1e-5, rtol=1e-5)
    assert torch.equal(torch.cat(list(head.tiles(x)))[:, :50], torch.cat(list(base.tiles(x))).float())
    ids, scores = head.best(x, torch.tensor([0, 51]))
    expected = head(x).index_fill(-1, torch.tensor([0, 51]), -torch.inf).max(dim=-1)
    assert torch.equal(ids, expected.indices)
    torch.testing.assert_close(scores, expected.values)


def test_rows_added_to_a_head_can_be_trained():
    base, rows = CTCHead(8, 5).requires_grad_(False), nn.Parameter(torch.zeros(2, 8))
    bias = nn.Parameter(torch.zeros(2))
    ExtendedHead(base, rows, bias)(torch.randn(1, 3, 8))[..., 5].sum().backward()
    assert rows.grad.any()
    assert bias.grad.any()
    assert base.linear.weight.grad is None
