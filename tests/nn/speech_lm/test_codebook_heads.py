"""The fast network: codes are chosen by the scores that training sees."""

from typing import Any

import pytest
import torch
from torch import Tensor

from speech.errors import ConfigError
from speech.nn.speech_lm.codebook_heads import FastConfig, FastTransformer, ParallelHeads, codebook_heads

SHAPE: dict[str, Any] = {"dim": 12, "layers": 2, "heads": 2, "kv_heads": 1, "hidden": 16}
CODEBOOKS, SIZE, DIM = 4, 9, 10


def built(first: int, **more: Any) -> FastTransformer | ParallelHeads:
    torch.manual_seed(2)
    return codebook_heads(FastConfig(**SHAPE | more), DIM, CODEBOOKS, SIZE, first).eval()


@torch.inference_mode()
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("more", [{}, {"shared": True}, {"kind": "parallel"}], ids=str)
def test_choosing_sees_the_scores_of_training(first, more):
    model, hidden = built(first, **more), torch.randn(5, DIM)
    codes = torch.randint(0, SIZE, (5, CODEBOOKS))
    seen: dict[int, Tensor] = {}

    def choose(scores: Tensor, codebook: int) -> Tensor:
        seen[codebook] = scores
        return codes[:, codebook]

    assert torch.equal(model.choose(hidden, codes[:, :first], choose), codes)
    assert list(seen) == list(range(first, CODEBOOKS))
    found = torch.stack(list(seen.values()), dim=1)
    torch.testing.assert_close(found, model(hidden, codes), atol=1e-4, rtol=1e-4)
    assert found.shape == (5, CODEBOOKS - first, SIZE)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["transformer", "parallel"])
def test_only_the_transformer_reads_earlier_codes_and_none_reads_later_ones(kind):
    model, hidden = built(0, kind=kind), torch.randn(1, DIM)
    codes = torch.zeros(1, CODEBOOKS, dtype=torch.int64)
    before = model(hidden, codes)
    for place in range(CODEBOOKS):
        other = codes.clone()
        other[0, place] = 5
        changed = (model(hidden, other) != before).any(dim=-1)[0].tolist()
        wanted = [kind == "transformer" and codebook > place for codebook in range(CODEBOOKS)]
        assert changed == wanted


def test_tables_are_shared_or_of_each_codebook():
    own, shared = built(1), built(1, shared=True)
    assert (len(own.outputs), own.embed.num_embeddings) == (3, SIZE * 3)
    assert (len(shared.outputs), shared.embed.num_embeddings) == (1, SIZE)
    codes = torch.full((1, CODEBOOKS), 3)
    with torch.no_grad():
        own.embed.weight[SIZE + 3] += 1.0  # code 3 of codebook 1, which codebooks 2 and 3 read
    changed = (built(1)(torch.ones(1, DIM), codes) != own(torch.ones(1, DIM), codes)).any(dim=-1)[0]
    assert changed.tolist() == [False, True, True]


def test_a_hidden_vector_of_the_same_width_is_not_projected():
    assert isinstance(codebook_heads(FastConfig(**SHAPE), 12, 2, SIZE, 0).project, torch.nn.Identity)
    assert isinstance(built(0).project, torch.nn.Linear)


def test_all_parameters_learn():
    for more in ({}, {"shared": True}, {"kind": "parallel"}):
        model = built(0, **more).train()
        model(torch.randn(6, DIM), torch.randint(0, SIZE, (6, CODEBOOKS))).square().sum().backward()
        assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


def test_parallel_heads_cannot_share_one_matrix():
    with pytest.raises(ConfigError, match=r"model\.fast: shared with kind=parallel"):
        FastConfig(shared=True, kind="parallel")
