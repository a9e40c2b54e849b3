"""Dual-AR: whole and in steps the same, alone and in a batch the same, and what its Protocol says."""

import inspect
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, SamplingConfig, choose
from speech.errors import ConfigError
from speech.models.base import SpeechLM, SpeechPrompt
from speech.models.dual_ar import OVER_TIME, DualAr
from speech.models.precision import Precision, with_precision
from speech.models.speech_prompt import VoicePrompt, speech_prompt, spoken_text
from speech.nn.cpu.instructions import instructions
from speech.nn.cpu.int8 import Int8Linear, int8_runs
from speech.nn.speech_lm.compiled import CompiledTransformer
from speech.nn.streaming import merge, select
from tests.tiny_dual_ar import tiny_dual_ar, tiny_dual_ar_config, tiny_vocabulary

needs_kernels = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")
SHAPES: dict[str, dict[str, Any]] = {
    "usual": {},
    "as in Fish-Speech 1.5": {
        "slow": {"qkv_bias": True, "rope_dtype": "bfloat16", "rope_base": 1e6},
        "fast": {"shared": True, "qkv_bias": True, "dim": 16},
    },
    "as in Fish-Speech 1.4": {"first_in_tokens": False, "fast": {"shared": True, "dim": 16}},
    "tied, read behind the norm": {"tied": True, "normed": True},
    "parallel heads": {"fast": {"kind": "parallel"}},
    "parallel heads for all codebooks": {"fast": {"kind": "parallel"}, "first_in_tokens": False, "codebooks": 3},
    "a speaker": {"speaker_dim": 5},
    "more codebooks": {"codebooks": 4},
}


def model_of(name: str) -> DualAr:
    return tiny_dual_ar(tiny_dual_ar_config(**SHAPES[name]))


def some_codes(model: DualAr, frames: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, model.codebook_size, (model.codebooks, frames), generator=generator)


def prompt(model: DualAr, text: str, *, voice_frames: int = 0, seed: int = 0) -> SpeechPrompt:
    codes = some_codes(model, voice_frames, seed)
    size = model.config.speaker_dim
    return speech_prompt(
        tiny_vocabulary(model.config),
        text,
        "eng",
        model.codebooks,
        voice=VoicePrompt("so", "deu", codes) if voice_frames else None,
        speaker=torch.randn(size, generator=torch.Generator().manual_seed(seed)) if size else None,
    )


class Teacher:
    """Chooses the given codes, and keeps the scores that it saw."""

    def __init__(self, model: DualAr, codes: Tensor) -> None:
        self.model, self.codes = model, codes
        self.frame = 0
        self.tokens: list[Tensor] = []
        self.of_codes: list[list[Tensor]] = []

    def __call__(self, scores: Tensor, codebook: int) -> Tensor:
        over = self.frame == self.codes.shape[1]
        if codebook == OVER_TIME:
            self.tokens.append(scores[0])
            self.of_codes.append([])
            if over:
                return torch.tensor([self.model.layout.frames])
            return self.codes[:1, self.frame] if self.model.config.first_in_tokens else torch.tensor([0])
        self.of_codes[-1].append(scores[0])
        return torch.tensor([0]) if over else self.codes[codebook : codebook + 1, self.frame]


@pytest.mark.parametrize("name", SHAPES)
@torch.inference_mode()
def test_steps_see_the_scores_that_forward_gives(name):
    model, frames = model_of(name), 9
    first, codes = prompt(model, "hello", voice_frames=4), some_codes(model, frames, 3)
    teacher, state = Teacher(model, codes), model.begin([first])
    for number in range(frames + 1):
        teacher.frame = number
        chosen, ended, state = model.step(state, teacher)
        assert bool(ended) == (number == frames)
        if number < frames:
            assert torch.equal(chosen[0], codes[:, number])
    vocabulary = tiny_vocabulary(model.config)
    own = spoken_text(vocabulary, "hello", "eng", codes)
    begins = len(first.tokens) - 1
    tokens = torch.cat([first.tokens, own.tokens[-frames - 1 :]])[None]
    all_codes = torch.cat([first.codes, own.codes[:, -frames - 1 :]], dim=1)[None]
    speakers = None if first.speaker is None else first.speaker.expand(1, tokens.shape[1], -1)
    hidden = model(tokens, all_codes, speakers=speakers)[0, begins:-1]
    scores = model.scores(hidden, torch.arange(frames), codes.T)
    torch.testing.assert_close(torch.stack(teacher.tokens), scores.tokens, atol=1e-4, rtol=1e-4)
    found = torch.stack([torch.stack(frame) for frame in teacher.of_codes[:-1]])
    torch.testing.assert_close(found, scores.codes, atol=1e-4, rtol=1e-4)
    assert scores.tokens.std() > 0.1, "scores that are all equal would show nothing"
    assert scores.codes.std() > 0.1


def run(model: DualAr, prompts: list[SpeechPrompt], seeds: list[int], frames: int) -> list[Tensor]:
    """Codes of each request, all of them `frames` long whether they ended or not."""
    samplers, state, said = [Sampler(SamplingConfig(seed=seed)) for seed in seeds], model.begin(prompts), []
    for _ in range(frames):
        codes, _, state = model.step(state, partial(choose, samplers))
        said.append(codes)
    return list(torch.stack(said, dim=2))


@pytest.mark.parametrize("name", SHAPES)
@torch.inference_mode()
def test_batch_mates_of_other_lengths_change_nothing(name):
    model = model_of(name)
    prompts = [
        prompt(model, text, voice_frames=n, seed=n) for text, n in (("a", 0), ("quite a long text", 7), ("hm", 3))
    ]
    together = run(model, prompts, [5, 6, 7], 12)
    for row, seed in enumerate((5, 6, 7)):
        assert torch.equal(run(model, [prompts[row]], [seed], 12)[0], together[row])
    states = model.begin(prompts)
    for row, own in enumerate(prompts):
        torch.testing.assert_close(states.hidden[row], model.begin([own]).hidden[0], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_rows_leave_and_join_between_steps():
    model = model_of("more codebooks")
    long, short, late = prompt(model, "quite a long text", voice_frames=9), prompt(model, "b"), prompt(model, "third")
    alone = [run(model, [own], [seed], 10)[0] for seed, own in enumerate((long, short, late))]
    samplers = [Sampler(SamplingConfig(seed=seed)) for seed in range(3)]
    state = model.begin([long, short])
    said: list[list[Tensor]] = [[], [], []]

    def steps(rows: list[int], count: int) -> None:
        nonlocal state
        for _ in range(count):
            codes, _, state = model.step(state, partial(choose, [samplers[row] for row in rows]))
            for row, own in zip(rows, codes, strict=True):
                said[row].append(own)

    steps([0, 1], 4)
    state = merge([state, model.begin([late])])
    assert state.past.lengths == (len(long.tokens) + 4, len(short.tokens) + 4, len(late.tokens))
    steps([0, 1, 2], 3)
    state = select(state, [2, 1])
    assert state.past.layers[0].keys.shape[2] == max(len(late.tokens) + 3, len(short.tokens) + 7)
    steps([2, 1], 3)
    for row, expected in enumerate(alone):
        assert torch.equal(torch.stack(said[row], dim=1), expected[:, : len(said[row])])
    assert list(map(len, said)) == [7, 10, 6]


@pytest.mark.parametrize("precision", [Precision.float32, Precision.bfloat16, Precision.int8])
@torch.inference_mode()
def test_in_any_precision_it_is_what_the_protocol_says(precision):
    if precision == Precision.int8 and not int8_runs():
        pytest.skip("needs the quantised kernels of x86")
    model = model_of("usual")
    found = with_precision(model, precision)
    names = {name for name, _ in inspect.getmembers(SpeechLM) if not name.startswith("_")}
    assert names <= {*dir(found), *found._modules}
    assert (found.codebooks, found.codebook_size, found.max_frames, found.frame_s) == (2, 12, 32, 0.01)
    assert found.dtype == (torch.bfloat16 if precision == Precision.bfloat16 else torch.float32)
    assert found.device == torch.device("cpu")
    assert found.parameter_count == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", ["usual", "as in Fish-Speech 1.5", "tied, read behind the norm", "parallel heads"])
@pytest.mark.parametrize("precision", [Precision.bfloat16, Precision.int8])
@torch.inference_mode()
def test_other_precisions_stay_near_float32(precision, name):
    if precision == Precision.int8 and not int8_runs():
        pytest.skip("needs the quantised kernels of x86")
    model = model_of(name)
    found = with_precision(model, precision)
    codes = some_codes(model, 8, 2)
    exact, near = Teacher(model, codes), Teacher(model, codes)
    for who, teacher in ((model, exact), (found, near)):
        state = who.begin([prompt(model, "hello", voice_frames=3)])
        for teacher.frame in range(8):
            _, _, state = who.step(state, teacher)
    for wanted, got in (
        (exact.tokens, near.tokens),
        ([own[-1] for own in exact.of_codes], [own[-1] for own in near.of_codes]),
    ):
        apart = (torch.stack(got).float() - torch.stack(wanted)).square().mean().sqrt()
        assert 0 < apart < 0.08 * torch.stack(wanted).std()


@needs_kernels
def test_all_linear_layers_are_in_eight_bits():
    kinds = [type(module) for module in with_precision(model_of("a speaker"), Precision.int8).modules()]
    assert torch.nn.Linear not in kinds
    if instructions():  # output and speaker, beside compiled transformers
        assert kinds.count(Int8Linear) == 2
        assert kinds.count(CompiledTransformer) == 2
    else:  # qkv, out and two of SwiGLU in 2 + 2 layers; output, project, one codebook, speaker
        assert kinds.count(Int8Linear) == 4 * 4 + 4


@torch.inference_mode()
def test_voice_and_speaker_are_heard():
    model = model_of("a speaker")
    plain = prompt(model, "hello")
    other = plain._replace(speaker=-plain.speaker)
    nobody, zeros = plain._replace(speaker=None), plain._replace(speaker=torch.zeros(5))
    hidden = [
        model.begin([own]).hidden for own in (plain, other, nobody, zeros, prompt(model, "hello", voice_frames=3))
    ]
    assert torch.equal(hidden[2], hidden[3])
    for number in (1, 2, 4):
        assert not torch.allclose(hidden[0], hidden[number], atol=1e-3)


@torch.inference_mode()
def test_codes_count_at_frames_only():
    model = model_of("usual")
    own = prompt(model, "hello", voice_frames=3)
    is_frame = own.tokens >= model.layout.first_frame
    assert int(is_frame.sum()) == 3
    elsewhere = own._replace(codes=torch.where(is_frame, own.codes, 7))
    there = own._replace(codes=torch.where(is_frame, (own.codes + 1) % 12, own.codes))
    hidden = model.begin([own]).hidden
    assert torch.equal(hidden, model.begin([elsewhere]).hidden)
    assert not torch.allclose(hidden, model.begin([there]).hidden, atol=1e-3)


def test_what_does_not_fit_is_refused():
    model = model_of("usual")
    with pytest.raises(ConfigError, match=r"text and voice have 67 tokens and frames; the model takes 64"):
        model.begin([prompt(model, "x" * 64)])
    with pytest.raises(ConfigError, match=r"shape \(3,\); the model takes none"):
        model.begin([prompt(model, "x")._replace(speaker=torch.zeros(3))])
    with pytest.raises(ConfigError, match="max_frames 96, positions 96"):
        tiny_dual_ar_config(max_frames=96)
    with pytest.raises(ConfigError, match=r"model\.slow: heads 4, kv_heads 3"):
        tiny_dual_ar_config(slow={"kv_heads": 3})
    with pytest.raises(ConfigError, match=r"model\.fast: dim 12, heads 4"):
        tiny_dual_ar_config(fast={"heads": 4})
    with pytest.raises(ConfigError, match=r"model\.fast\.layers 0"):
        tiny_dual_ar_config(fast={"layers": 0})
    with pytest.raises(ConfigError, match="same code for all codebooks"):
        tiny_dual_ar_config(fast={"shared": True, "kind": "parallel"})
    with pytest.raises(ConfigError, match="leaves nothing to the fast network"):
        tiny_dual_ar_config(codebooks=1)
    vocabulary = tiny_vocabulary(tiny_dual_ar_config(first_in_tokens=False))
    with pytest.raises(ConfigError, match="1 frame tokens; the model has 12"):
        tiny_dual_ar_config().build(vocabulary.layout)
