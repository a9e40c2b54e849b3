"""The history of the published generation of Fish-Speech."""

import torch

from speech.decode.sampling.fish_sampler import FishSampler
from speech.decode.sampling.sampler import Sampler, SamplingConfig, choose


def test_a_window_begins_as_zeros_and_never_holds_the_first_frame():
    sampler = FishSampler(SamplingConfig(window=3))
    assert sampler.recent(1, 3) == []
    sampler.keep(1, 7)
    assert sampler.recent(1, 3) == [0, 0, 0]
    sampler.keep(1, 8)
    assert sampler.recent(1, 3) == [0, 0, 8]
    for code in (9, 10, 11):
        sampler.keep(1, code)
    assert sampler.recent(1, 3) == [9, 10, 11]
    assert sampler.recent(2, 3) == []


def test_in_1_4_tokens_have_no_penalty_and_codes_beside_texts_are_0():
    sampler = FishSampler(SamplingConfig(window=3), frame_token=5)
    for token, code in ((5, 6), (5, 7), (4, 8), (5, 9)):
        sampler.keep(-1, token)
        sampler.keep(0, code)
    assert sampler.recent(-1, 3) == []
    assert sampler.recent(0, 3) == [7, 0, 9]
    later = FishSampler(SamplingConfig(window=3))
    for token in (3, 4):
        later.keep(-1, token)
        later.keep(1, 8)
    assert later.recent(-1, 3) == [0, 0, 4]
    assert later.recent(1, 3) == [0, 0, 8]


def test_code_0_is_penalised_from_the_second_frame_on():
    config = SamplingConfig(temperature=0, penalty=2.0)
    scores = torch.tensor([[3.0, 2.0, 1.0]])
    fish, plain = FishSampler(config), Sampler(config)
    assert [choose([fish], scores, 1).item() for _ in range(3)] == [0, 1, 0]
    assert [choose([plain], scores, 1).item() for _ in range(2)] == [0, 1]
    other = FishSampler(config)
    assert choose([other, FishSampler(config)], scores.expand(2, -1), 1).tolist() == [0, 0]
