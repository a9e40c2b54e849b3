"""The language model of Fish-Speech: steps are the published formulas and rules, alone and in a batch."""

from functools import partial

import pytest
import torch

from speech.decode.sampling.fish_sampler import FishSampler
from speech.decode.sampling.sampler import SamplingConfig, choose
from speech.models.dual_ar import OVER_TIME
from speech.models.fish_prompt import FishTurn, fish_prompt
from speech.models.generation import generate
from speech.models.importers.fish import build_fish, read_settings
from speech.text.fish_text import FishVersion
from speech.text.tokenizers.fish import fish_tokenizer
from tests.published_fish_lm import CODEBOOKS, PublishedLm, lm_tensors, settings_of, tokenizer_bytes

VERSIONS = list(FishVersion)


def made(version):
    """Our model and the published formulas, over the same tensors; and the tokenizer."""
    settings = settings_of(version)
    tensors = lm_tensors(settings)
    tokenizer = fish_tokenizer(version, tokenizer_bytes(version), settings["vocab_size"], "tokenizer")
    if version == FishVersion.one_four:  # the one token of frames becomes likelier than those of texts
        frame = tokenizer.layout.first_frame
        tensors["embeddings.weight"][:, 0] = 6
        tensors["output.weight"][:, 0] = -1
        tensors["output.weight"][frame, 0] = 1
    model = build_fish(tensors, read_settings(settings, version, "config.json"), tokenizer, "model.pth")
    layout = tokenizer.layout
    return model, PublishedLm(tensors, settings, (layout.first_frame, layout.frames, layout.end)), tokenizer


def prompt_of(tokenizer, text="hello, world", frames=9):
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 1000, (CODEBOOKS, frames), generator=generator)
    return fish_prompt(tokenizer, CODEBOOKS, text, voices=[FishTurn("user, hello", codes)])


@torch.inference_mode()
@pytest.mark.parametrize("version", VERSIONS)
def test_scores_of_whole_sequences_are_those_of_the_published_formulas(version):
    model, theirs, tokenizer = made(version)
    prompt = prompt_of(tokenizer)
    wanted_hidden, wanted = theirs.slow(prompt.tokens, prompt.codes)
    hidden = model(prompt.tokens[None], prompt.codes[None])[0]
    torch.testing.assert_close(hidden, wanted_hidden, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.all_scores(model.slow.norm(hidden)), wanted, atol=1e-4, rtol=1e-4)
    codes = torch.tensor([[5, 0, 1023], [1000, 7, 7]])
    first = int(version == FishVersion.one_five)
    scores = model.fast(hidden[:2], codes)
    assert scores.shape == (2, CODEBOOKS - first, 1024)
    for row in range(2):
        for place in range(first, CODEBOOKS):
            own = theirs.fast(wanted_hidden[row], codes[row, :place].tolist())
            torch.testing.assert_close(scores[row, place - first], own, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("rules", "seed"), [((0.7, 0.7, 1.2), 0), ((1.0, 0.9, 1.5), 1)])
def test_sampled_codes_are_those_of_the_published_rules_with_equal_draws(version, rules, seed):
    """More frames than a window; among them tokens of texts, which a trained model does not write."""
    model, theirs, tokenizer = made(version)
    prompt = prompt_of(tokenizer)
    temperature, share, penalty = rules
    config = SamplingConfig(temperature=temperature, top_p=share, penalty=penalty, seed=seed)
    sampler = FishSampler(config, tokenizer.frame_token)
    tokens, codes = theirs.generate(prompt.tokens, prompt.codes, 24, rules, seed)
    state, written = model.begin([prompt]), []

    def chosen(scores, codebook):
        found = choose([sampler], scores, codebook)
        written.extend(found.tolist() if codebook == OVER_TIME else [])
        return found

    for place in range(len(tokens)):
        own, ended, state = model.step(state, chosen)
        assert own[0].tolist() == codes[:, place].tolist(), f"frame {place}"
        assert ended.tolist() == [tokens[place] == theirs.end]
    assert written == tokens
    assert len(tokens) > 18
    assert len(set(tokens)) > 2
    assert sum(theirs.first <= token < theirs.first + theirs.frames for token in tokens) > 10


@torch.inference_mode()
@pytest.mark.parametrize("version", VERSIONS)
def test_requests_that_share_a_batch_get_what_they_get_alone(version):
    model, _, tokenizer = made(version)
    prompts = [prompt_of(tokenizer), prompt_of(tokenizer, "o", 2)]
    samplers = [FishSampler(SamplingConfig(seed=seed), tokenizer.frame_token) for seed in (3, 4)]
    together = generate(model, prompts, samplers, [12, 12])
    for seed, prompt, own in zip((3, 4), prompts, together, strict=True):
        alone = generate(model, [prompt], [FishSampler(SamplingConfig(seed=seed), tokenizer.frame_token)], [12])[0]
        assert torch.equal(alone.codes, own.codes)


@torch.inference_mode()
def test_a_token_of_a_text_has_codes_of_0():
    """In 1.4 all codes are 0, and in 1.5 the first one."""
    for version in VERSIONS:
        model, _, tokenizer = made(version)
        state = model.begin([prompt_of(tokenizer)])

        def chosen(scores, codebook):
            return torch.tensor([3 if codebook == OVER_TIME else 5])

        codes, ended, _ = model.step(state, chosen)
        assert codes.tolist() == [[0, 5, 5] if version == FishVersion.one_five else [0, 0, 0]]
        assert ended.tolist() == [False]


def test_the_state_selects_rows():
    model, _, tokenizer = made(FishVersion.one_five)
    samplers = [FishSampler(SamplingConfig(temperature=0))]
    codes, _, state = model.step(model.begin([prompt_of(tokenizer)]), partial(choose, samplers))
    assert codes.shape == (1, CODEBOOKS)
    assert state.hidden.shape == (1, 16)
