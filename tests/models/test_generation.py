"""Whole texts: requests end one by one, and do not depend on each other."""

import pytest
import torch

from speech.decode.sampling.sampler import Sampler, SamplingConfig
from speech.models.generation import generate
from speech.models.speech_prompt import speech_prompt
from tests.tiny_dual_ar import tiny_dual_ar, tiny_vocabulary


@pytest.fixture(scope="module")
def model():
    """Some of its requests end, others do not."""
    found = tiny_dual_ar()
    with torch.no_grad():
        found.output.weight[found.layout.end] *= 0.3
    return found


def prompts(model, texts):
    return [speech_prompt(tiny_vocabulary(model.config), text, "eng", 2) for text in texts]


def samplers(seeds):
    return [Sampler(SamplingConfig(seed=seed, temperature=1.0, top_p=1.0)) for seed in seeds]


def test_requests_end_one_by_one_as_they_would_alone(model):
    texts, seeds = ["a", "some more text", "hello", "b", "goes on", "ends late"], [3, 1, 4, 1, 5, 9]
    together = generate(model, prompts(model, texts), samplers(seeds))
    lengths = [found.codes.shape[1] for found in together]
    assert len(set(lengths)) > 2, "all of one length would show little"
    assert {found.complete for found in together} == {True, False}
    for text, seed, found in zip(texts, seeds, together, strict=True):
        (alone,) = generate(model, prompts(model, [text]), samplers([seed]))
        assert torch.equal(alone.codes, found.codes)
        assert alone.complete == found.complete
        assert found.complete or found.codes.shape[1] == model.max_frames


def test_each_request_has_a_limit_of_its_own(model):
    texts, limits = ["a", "a", "a"], [4, 0, 900]
    found = generate(model, prompts(model, texts), samplers([3, 3, 3]), limits)
    assert [one.codes.shape[1] for one in found] == [4, 0, model.max_frames]
    assert torch.equal(found[2].codes[:, :4], found[0].codes)
    assert [one.complete for one in found] == [False] * 3
    assert found[1].codes.dtype == torch.int64


def test_nothing_is_asked():
    assert generate(tiny_dual_ar(), [], []) == []
