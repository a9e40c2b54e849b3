"""Compiled transformers give what the uncompiled ones give, whoever shares the batch, and keep states as they were."""

from functools import partial

import pytest
import torch

from speech.errors import ConfigError
from speech.nn.cpu.instructions import instructions
from speech.nn.speech_lm.codebook_heads import FastConfig, codebook_heads
from speech.nn.speech_lm.compiled import CompiledHeads, CompiledTransformer, compiled_steps_copy
from speech.nn.speech_lm.transformer import CausalTransformer, TransformerConfig
from speech.nn.streaming import merge, select
from tests.skips import NO_TILES
from tests.tiny_dual_ar import FAST, SLOW, tiny_dual_ar, tiny_dual_ar_config

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)
SHAPES = [
    {},
    {"kv_heads": 4, "qkv_bias": True, "rope_dtype": "bfloat16", "eps": 1e-3},
    {"dim": 20, "heads": 2, "kv_heads": 1, "hidden": 31},
]


def transformer(**shape):
    torch.manual_seed(0)
    found = CausalTransformer(TransformerConfig(**SLOW | shape), 64).eval()
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.mul_(2)
    return found


def near(found, wanted, int8):
    if not int8:
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    else:
        assert (found - wanted).square().mean().sqrt() < 0.05 * wanted.square().mean().sqrt()
    assert wanted.std() > 0.1


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.inference_mode()
def test_steps_equal_the_uncompiled_ones_for_rows_of_any_length(shape, int8):
    model = transformer(**shape)
    compiled, counts = CompiledTransformer(model, int8), [40, 3, 1]
    x = torch.randn(3, 40, model.config.dim)
    (wanted, past), (found, other) = model.step(x, None, counts), compiled.step(x, None, counts)
    for row, count in enumerate(counts):
        near(found[row, -count:], wanted[row, -count:], int8)
        assert not found[row, :-count].any()
    for count in (1, 4, 1):
        x = torch.randn(3, count, model.config.dim)
        (wanted, past), (found, other) = model.step(x, past), compiled.step(x, other)
        near(found, wanted, int8)
    assert other.lengths == past.lengths == (46, 9, 7)
    assert other.places == 46


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@torch.inference_mode()
def test_a_row_gets_the_same_bits_in_any_batch(int8):
    compiled = CompiledTransformer(transformer(), int8)
    x, more = torch.randn(7, 5, 16), torch.randn(7, 1, 16)
    together, past = compiled.step(x, None, [5, 1, 3, 2, 5, 4, 5])
    after, _ = compiled.step(more, past)
    for row, count in enumerate(past.lengths):
        alone, own = compiled.step(x[row : row + 1, -count:], None)
        assert torch.equal(alone[0], together[row, -count:])
        assert torch.equal(compiled.step(more[row : row + 1], own)[0][0], after[row])


@torch.inference_mode()
def test_states_are_values_whatever_was_done_with_them():
    compiled = CompiledTransformer(transformer(), False)
    x = [torch.randn(3, 1, 16) for _ in range(45)]
    past, pasts, found = compiled.begin(3), [], []
    for own in x:
        pasts.append(past)
        y, past = compiled.step(own, past)
        found.append(y)
    for number in (0, 31, 32, 44, 7):
        assert torch.equal(compiled.step(x[number], pasts[number])[0], found[number])
        again, _ = compiled.step(x[number][[2, 2, 0]], select(pasts[number], [2, 2, 0]))
        assert torch.equal(again, found[number][[2, 2, 0]])
    one, two = select(pasts[9], [1]), select(pasts[40], [0, 2])
    joined = merge([one, two, compiled.begin(1)])
    assert joined.lengths == (9, 40, 40, 0)
    y, _ = compiled.step(torch.cat([x[9][1:2], x[40][[0, 2]], x[0][:1]]), joined)
    assert torch.equal(y, torch.cat([found[9][1:2], found[40][[0, 2]], found[0][:1]]))


@torch.inference_mode()
def test_rows_that_wait_for_others_are_not_copied():
    compiled = CompiledTransformer(transformer(), False)
    _, past = compiled.step(torch.randn(3, 2, 16), None)
    waiting, going = select(past, [1]), select(past, [0, 2])
    _, going = compiled.step(torch.randn(2, 1, 16), going)
    joined = merge([going, waiting])
    assert joined.cache is past.cache
    assert (joined.slots, joined.lengths) == ((0, 2, 1), (3, 3, 2))
    _, after = compiled.step(torch.randn(3, 1, 16), joined)
    assert after.cache is past.cache


@torch.inference_mode()
def test_positions_end():
    compiled = CompiledTransformer(transformer(), False)
    _, past = compiled.step(torch.randn(1, 64, 16), None)
    with pytest.raises(ConfigError, match="a sequence of 65 places; the model has 64 positions"):
        compiled.step(torch.randn(1, 1, 16), past)


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize(
    ("first", "shape"), [(1, {}), (0, {}), (1, {"shared": True, "dim": 16}), (2, {"shared": True})], ids=str
)
@torch.inference_mode()
def test_codebooks_get_the_scores_of_the_uncompiled_network(first, shape, int8):
    torch.manual_seed(0)
    heads = codebook_heads(FastConfig(**FAST | shape), 16, 5, 11, first).eval()
    for parameter in heads.parameters():
        if parameter.dim() > 1:
            parameter.mul_(2)
    hidden, codes = torch.randn(3, 16), torch.randint(0, 11, (3, 5))
    seen = []

    def choose(own, scores, codebook):
        own.append(scores)
        return codes[:, codebook]

    for network in (heads, CompiledHeads(heads, int8)):
        seen.append([])
        assert torch.equal(network.choose(hidden, codes[:, :first], partial(choose, seen[-1])), codes)
    near(torch.stack(seen[1]), torch.stack(seen[0]), int8)
    assert len(seen[1]) == 5 - first


def test_a_model_is_compiled_once_and_shares_the_rest():
    model = tiny_dual_ar()
    found = compiled_steps_copy(model, int8=True)
    kinds = [type(module) for module in found.modules()]
    assert (type(found.slow), type(found.fast)) == (CompiledTransformer, CompiledHeads)
    assert CausalTransformer not in kinds
    assert found.embed.codes.weight is model.embed.codes.weight
    assert compiled_steps_copy(found, int8=True) is found
    parallel = tiny_dual_ar(tiny_dual_ar_config(fast={"kind": "parallel"}))
    assert type(compiled_steps_copy(parallel, int8=True).fast) is type(parallel.fast)
    linear = torch.nn.Linear(2, 2)
    assert compiled_steps_copy(linear, int8=True) is linear
