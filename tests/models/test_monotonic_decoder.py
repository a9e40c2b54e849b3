"""A decoder under a policy: it is the offline decoder if all is written at the end, and no token hears the future."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from speech.errors import ConfigError
from speech.models.monotonic_decoder import MonotonicDecoder, decided, group_ends
from speech.nn.decoder.label import LabelDecoder, LabelDecoderConfig
from speech.nn.policy_network import PolicyConfig, PolicyNetwork
from speech.translate.emma import expected_alignment, with_rest_at_end
from tests.tiny_decoder import random, random_decoder, tokens_below

SHAPE = LabelDecoderConfig(vocabulary=50, dim=16, layers=2, heads=4, hidden=32, positions=20)
LENGTHS, FIRST = torch.tensor([22, 13]), torch.tensor([2, 3])


class Fixed(PolicyNetwork):
    """Writes with the same probabilities (groups,), whatever it hears."""

    def __init__(self, values: Tensor, pooling: int = 4) -> None:
        super().__init__(PolicyConfig(pooling=pooling), SHAPE.dim, SHAPE.layers, SHAPE.heads)
        self.values = values

    def forward(self, layer, x, keys):
        p = self.values.expand(*x.shape[:1], self.heads, x.shape[1], -1)
        return p.masked_fill(~keys.real[:, None, None], 0.0)


def decoder() -> LabelDecoder:
    return random_decoder(SHAPE, 0.3)


def learned() -> PolicyNetwork:
    torch.manual_seed(1)
    return PolicyNetwork(PolicyConfig(pooling=4, bias=-0.1), SHAPE.dim, SHAPE.layers, SHAPE.heads)


def test_with_all_mass_at_the_end_the_logits_are_those_of_the_offline_decoder():
    model, tokens, frames = decoder(), tokens_below(50, 2, 7), random(2, 22, 16)
    found = MonotonicDecoder(model, Fixed(torch.zeros(6)))(tokens, frames, LENGTHS, FIRST)
    torch.testing.assert_close(model.logits(found.x), model(tokens, frames, LENGTHS), atol=1e-4, rtol=0)
    assert found.groups.tolist() == [6, 4]
    assert torch.equal(found.alignment[0, ..., 5], torch.ones(2, 4, 7))
    assert torch.equal(found.alignment[1, ..., 3], torch.ones(2, 4, 7))


def test_tokens_written_at_a_group_are_those_of_a_source_that_ends_there():
    model, tokens, frames = decoder(), tokens_below(50, 2, 7), random(2, 22, 16)
    third = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    found = MonotonicDecoder(model, Fixed(third))(tokens, frames, LENGTHS, FIRST)
    torch.testing.assert_close(model.logits(found.x), model(tokens, frames[:, :12]), atol=1e-4, rtol=0)


def test_rows_of_the_alignment_sum_to_one_and_prompts_are_read_with_the_first_token():
    model = MonotonicDecoder(decoder(), learned())
    alignment = model(tokens_below(50, 2, 7), random(2, 22, 16), LENGTHS, FIRST).alignment
    assert alignment.shape == (2, 2, 4, 7, 6)
    torch.testing.assert_close(alignment.sum(-1), torch.ones(2, 2, 4, 7))
    assert not alignment[1, ..., 4:].any()  # padding
    for row, first in enumerate(FIRST.tolist()):
        torch.testing.assert_close(
            alignment[row, :, :, :1].expand(-1, -1, first + 1, -1), alignment[row, :, :, : first + 1]
        )
        assert not torch.allclose(alignment[row, :, :, first], alignment[row, :, :, first + 1])


def test_the_rest_at_the_end_is_that_of_the_estimator():
    p = torch.rand(1, 1, 5, 6, generator=torch.Generator().manual_seed(0)) * 0.3
    found = expected_alignment(decided(p, torch.tensor([6]), torch.tensor([0])))
    torch.testing.assert_close(found, with_rest_at_end(expected_alignment(p)))


def test_no_text_is_predicted_from_audio_that_has_not_been_heard():
    model, tokens, frames = decoder(), tokens_below(50, 1, 6), random(1, 24, 16)
    other = frames.clone()
    other[:, 8:] = random(1, 16, 16, seed=5)
    early = Fixed(torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0, 0.0]))
    one, two = (
        MonotonicDecoder(model, early)(tokens, heard, torch.tensor([24]), torch.tensor([1])).x
        for heard in (frames, other)
    )
    torch.testing.assert_close(one, two, atol=1e-6, rtol=0)


def test_batch_mates_and_padding_change_nothing():
    model, tokens, frames = MonotonicDecoder(decoder(), learned()), tokens_below(50, 2, 7), random(2, 22, 16)
    both = model(tokens, frames, LENGTHS, FIRST)
    alone = model(tokens[1:], frames[1:, :13], LENGTHS[1:], FIRST[1:])
    torch.testing.assert_close(both.x[1:], alone.x, atol=1e-5, rtol=0)
    torch.testing.assert_close(both.alignment[1:, ..., :4], alone.alignment, atol=1e-6, rtol=0)


def test_gradients_reach_the_policy_through_a_frozen_decoder_and_are_finite_with_extreme_scores():
    base = decoder().requires_grad_(False)
    with torch.no_grad():
        for layer in base.layers:
            layer.cross.query.weight.mul_(200)  # exp of these scores underflows
    model = MonotonicDecoder(base, learned())
    found = model(tokens_below(50, 2, 7), random(2, 22, 16), LENGTHS, FIRST)
    base.logits(found.x).log_softmax(-1)[..., 3].sum().backward()
    gradients = [parameter.grad for parameter in model.network.parameters()]
    assert all(one is not None and bool(one.isfinite().all()) and bool((one != 0).any()) for one in gradients)
    assert all(parameter.grad is None for parameter in base.parameters())


def test_stepwise_probabilities_are_the_networks_under_the_decoders_own_attention():
    base, network, tokens, frames = decoder(), learned(), tokens_below(50, 2, 5), random(2, 18, 16)
    keys, lengths = network.begin(frames), torch.tensor([18, 11])
    asked = base.asked(tokens, base.begin(frames, lengths))  # (batch, layers, n, dim)
    wanted = torch.stack([network(n, asked[:, n], keys) for n in range(2)], dim=1)
    found = MonotonicDecoder(base, network).stepwise(tokens, frames, lengths, keys)
    torch.testing.assert_close(found, wanted)
    assert found.shape == (2, 2, 4, 5, 5)


def test_groups_end_with_their_last_real_frame():
    assert group_ends(torch.tensor([10, 5]), 3, 4).tolist() == [[3, 7, 9], [3, 4, 4]]


def test_a_text_longer_than_the_decoder_writes_is_refused():
    with pytest.raises(ConfigError, match="positions"):
        MonotonicDecoder(decoder(), learned())(tokens_below(50, 2, 21), random(2, 22, 16), LENGTHS, FIRST)
