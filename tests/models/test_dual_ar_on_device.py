"""Speaking on a device that refuses what CUDA refuses gives the codes of the CPU."""

import copy

import pytest
import torch

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.models.dual_ar import DualAr
from speech.models.generation import generate
from speech.nn.streaming import merge
from tests.fake_device import DEVICE, FakeDevice
from tests.models.test_dual_ar import model_of, prompt


def said(model: DualAr, place: str | torch.device) -> tuple[list[list[list[int]]], list[int]]:
    """Codes of three requests, and the lengths of a state that was joined."""
    prompts = [
        prompt(model, text, voice_frames=n, seed=n) for text, n in (("a", 0), ("quite a long text", 7), ("hm", 3))
    ]
    there = copy.deepcopy(model).to(place)
    configs = [SamplingConfig(seed=1), SamplingConfig(seed=2, top_k=4), SamplingConfig(seed=3, ras_window=4)]
    made = generate(there, prompts, [Sampler(config) for config in configs])
    state = merge([there.begin(prompts[:1]), there.begin(prompts[1:])])
    assert state.hidden.device == torch.device(place)
    return [own.codes.tolist() for own in made], list(state.past.lengths)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["usual", "as in Fish-Speech 1.4", "parallel heads", "a speaker"])
def test_codes_are_those_of_the_cpu(name):
    model = model_of(name)
    here = said(model, "cpu")
    with FakeDevice():
        there = said(model, DEVICE)
    assert here == there
    assert max(len(codes[0]) for codes in here[0]) >= 3
