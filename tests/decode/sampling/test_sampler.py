"""Samplers: order of the rules, histories, and random numbers that do not depend on the batch."""

import pytest
import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, SamplingConfig, choose
from speech.errors import ConfigError

FREE = {"temperature": 1.0, "top_p": 1.0, "penalty": 1.0}
CONFIGS = [
    SamplingConfig(seed=1),
    SamplingConfig(seed=2, temperature=1.3, top_p=0.9, top_k=5),
    SamplingConfig(seed=3, penalty=1.0, ras_window=4),
    SamplingConfig(seed=3, **FREE),
]


def scores(steps: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(steps, len(CONFIGS), 20, generator=torch.Generator().manual_seed(seed))


def said(rows: list[int], steps: int = 30) -> list[list[int]]:
    """Tokens of the requests `rows` in a batch of their own, over two codebooks."""
    samplers = [Sampler(CONFIGS[row]) for row in rows]
    found = [choose(samplers, own[rows], step % 2).tolist() for step, own in enumerate(scores(steps))]
    return [list(tokens) for tokens in zip(*found, strict=True)]


def test_a_request_draws_the_same_in_any_batch():
    together = said([0, 1, 2, 3])
    assert [said([row])[0] for row in range(4)] == together
    assert said([2, 0]) == [together[2], together[0]]
    assert together[2] != together[3], "one seed, other rules"


def test_another_seed_draws_otherwise():
    drawn = []
    for seed in range(3):
        sampler = Sampler(SamplingConfig(seed=seed, **FREE))
        drawn.append(tuple(int(choose([sampler], torch.zeros(1, 50), 0)) for _ in range(20)))
    assert len(set(drawn)) == 3


def test_without_temperature_the_best_token_is_chosen():
    sampler, own = Sampler(SamplingConfig(temperature=0, top_p=1.0, penalty=1.0)), scores(20)[:, 0]
    assert [int(choose([sampler], row[None], 0)) for row in own] == own.argmax(dim=1).tolist()


def test_the_penalty_is_of_the_window_of_a_codebook():
    sampler = Sampler(SamplingConfig(temperature=0, top_p=1.0, penalty=10.0, window=2))
    row = torch.tensor([[5.0, 4.0, 3.0, 2.0]])
    assert [int(choose([sampler], row, 0)) for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    assert int(choose([sampler], row, 1)) == 0, "another codebook has a history of its own"
    assert sampler.recent(0, 2) == [1, 2]
    assert sampler.recent(1, 5) == [0]
    assert sampler.recent(2, 5) == []


def test_the_nucleus_is_that_of_the_distribution_before_the_temperature():
    """At temperature 5 all four would be in a nucleus of .7, before it only the first is."""
    row = torch.tensor([[0.69, 0.29, 0.01, 0.01]]).log()
    sampler = Sampler(SamplingConfig(temperature=5.0, top_p=0.7, penalty=1.0))
    assert {int(choose([sampler], row, 0)) for _ in range(100)} == {0}


def test_the_nucleus_is_that_of_the_distribution_behind_the_penalty():
    row = torch.tensor([[4.0, 3.0, 3.0]])
    sampler = Sampler(SamplingConfig(temperature=0, top_p=0.5, penalty=4.0, window=1))
    assert [int(choose([sampler], row, 0)) for _ in range(2)] == [0, 1]


def test_top_k_limits_the_choice():
    sampler = Sampler(SamplingConfig(temperature=5.0, top_p=1.0, top_k=2, penalty=1.0))
    assert {int(choose([sampler], torch.tensor([[3.0, 2.0, 2.5, 1.0]]), 0)) for _ in range(200)} == {0, 2}


def test_a_repeated_token_is_drawn_again_by_its_own_rules():
    row = torch.tensor([[0.6, 0.4]]).log()
    greedy = {"temperature": 0, "top_p": 1.0, "penalty": 1.0}
    stuck = Sampler(SamplingConfig(**greedy))
    assert {int(choose([stuck], row, 0)) for _ in range(100)} == {0}
    freed = Sampler(SamplingConfig(**greedy, ras_window=10, ras_top_p=1.0))
    tokens = [int(choose([freed], row, 0)) for _ in range(300)]
    assert 0.25 < sum(tokens) / 300 < 0.5
    close = Sampler(SamplingConfig(**greedy, ras_window=10, ras_top_p=0.5))
    assert {int(choose([close], row, 0)) for _ in range(100)} == {0}


def test_repetition_is_looked_for_in_its_window_only():
    row = torch.tensor([[9.0, 0.0, 0.0]])
    sampler = Sampler(SamplingConfig(**FREE | {"temperature": 0}, ras_window=1, ras_temperature=0.0))
    assert [int(choose([sampler], row, 0)) for _ in range(3)] == [0, 0, 0]
    sampler.keep(0, 2)
    assert sampler.recent(0, 1) == [2]


@pytest.mark.parametrize(
    "values", [{"top_p": 0}, {"top_p": 1.1}, {"temperature": -1}, {"penalty": 0.9}, {"window": -1}, {"seed": -1}]
)
def test_settings_have_ranges(values):
    with pytest.raises(ConfigError, match=f"sampling.{next(iter(values))}"):
        SamplingConfig(**values)
