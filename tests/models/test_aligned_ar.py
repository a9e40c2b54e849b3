"""The aligned Dual-AR: whole and in steps the same, alone and in a batch the same; symbols last as long as told."""

import inspect
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from speech.decode.sampling.sampler import Sampler, SamplingConfig, choose
from speech.errors import ConfigError
from speech.models.aligned_ar import START, AlignedAr, AlignedFrames
from speech.models.aligned_lm import AlignedLM, AlignedPrompt, AlignedVoice, Turn
from speech.models.precision import Precision, with_precision
from speech.nn.cpu.int8 import int8_runs
from speech.nn.speech_lm.text_encoder import NO_LANGUAGE
from speech.nn.streaming import merge, select
from tests.tiny_aligned_ar import VOCABULARY, aligned_prompt, some_codes, tiny_aligned_ar, tiny_aligned_config
from tests.tiny_dual_ar import tiny_dual_ar_config, tiny_vocabulary

SHAPES: dict[str, dict[str, Any]] = {
    "usual": {},
    "two codebooks, other look-ahead": {"codebooks": 2, "text": {"layers": 2, "kernel": 3}},
    "parallel heads": {"fast": {"kind": "parallel"}},
    "shared tables": {"fast": {"shared": True}},
    "a speaker": {"speaker_dim": 5},
}


def model_of(name: str) -> AlignedAr:
    return tiny_aligned_ar(tiny_aligned_config(**SHAPES[name]))


class Teacher:
    """Chooses the given codes, and keeps the scores that it saw."""

    def __init__(self, codes: Tensor) -> None:
        self.codes, self.frame = codes, 0
        self.scores: list[list[Tensor]] = []

    def __call__(self, scores: Tensor, codebook: int) -> Tensor:
        if codebook == 0:
            self.scores.append([])
        self.scores[-1].append(scores[0])
        return self.codes[codebook : codebook + 1, self.frame]


def whole(model: AlignedAr, prompt: AlignedPrompt, codes: Tensor, counts: list[int]) -> AlignedFrames:
    """What `forward` reads of a request without a voice."""
    numbers = [n for n, count in enumerate(counts) for _ in range(count)]
    inside = [place for count in counts for place in range(count)]
    symbols = torch.tensor([list(prompt.symbols)])
    language = NO_LANGUAGE if prompt.language is None else prompt.language
    speakers = None if prompt.speaker is None else prompt.speaker.expand(1, symbols.shape[1], -1)
    return AlignedFrames(
        symbols=symbols,
        languages=torch.full_like(symbols, language),
        utterances=torch.zeros_like(symbols),
        speakers=speakers,
        said=torch.tensor([numbers]),
        inside=torch.tensor([inside]),
        before=torch.cat([torch.full((model.codebooks, 1), START), codes[:, :-1]], dim=1)[None],
    )


@pytest.mark.parametrize("name", SHAPES)
@torch.inference_mode()
def test_steps_see_the_scores_that_forward_gives(name):
    model = model_of(name)
    first = aligned_prompt(model, "abc defgh.", seed=3)
    state, steps = model.begin([first]), 0
    teacher = Teacher(some_codes(model, 60, 4))
    while model.turns(state) == [Turn.frame]:
        teacher.frame = steps
        codes, state = model.step(state, teacher)
        assert torch.equal(codes[0], teacher.codes[:, steps])
        steps += 1
    counts = list(model.said(state)[0].frame_counts)
    assert len(counts) == 10
    assert sum(counts) == steps >= 10
    codes = teacher.codes[:, :steps]
    output = model(whole(model, first, codes, counts))
    scores = model.scores(output.hidden[0], torch.arange(steps), codes.T)
    found = torch.stack([torch.stack(frame) for frame in teacher.scores])  # (frames, codebooks, size)
    torch.testing.assert_close(found[:, 0], scores.first, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[:, 1:], scores.others, atol=1e-4, rtol=1e-4)
    assert scores.first.std() > 0.1, "scores that are all equal would show nothing"
    assert scores.others.std() > 0.1
    predicted = output.log_frames[0].exp()
    ends = (predicted.double().cumsum(0) + 0.5).floor().long()
    assert counts == ends.diff(prepend=torch.zeros(1, dtype=torch.int64)).tolist()


def run(model: AlignedAr, prompts: list[AlignedPrompt], seeds: list[int]) -> list[Tensor]:
    """Codes of each request to its end."""
    samplers = [Sampler(SamplingConfig(seed=seed)) for seed in seeds]
    state, rows, said = model.begin(prompts), list(range(len(prompts))), [[] for _ in prompts]
    while rows:
        going = [n for n, turn in enumerate(model.turns(state)) if turn == Turn.frame]
        rows = [rows[n] for n in going]
        if not rows:
            break
        codes, state = model.step(select(state, going), partial(choose, [samplers[row] for row in rows]))
        for row, own in zip(rows, codes, strict=True):
            said[row].append(own)
    return [torch.stack(own, dim=1) for own in said]


@pytest.mark.parametrize("name", SHAPES)
@torch.inference_mode()
def test_batch_mates_of_other_lengths_change_nothing(name):
    model = model_of(name)
    given = [("a", "", 0.8), ("abc abc defgh. abc", "bad", 1.0), ("gh", "h", 1.7)]
    prompts = [aligned_prompt(model, text, voice=v, seed=n, rate=r) for n, (text, v, r) in enumerate(given)]
    together = run(model, prompts, [5, 6, 7])
    assert len({own.shape[1] for own in together}) >= 2
    for row, seed in enumerate((5, 6, 7)):
        assert torch.equal(run(model, [prompts[row]], [seed])[0], together[row])


@torch.inference_mode()
def test_rows_leave_wait_and_join_between_steps():
    model = model_of("usual")
    long, short, late = (
        aligned_prompt(model, text, voice=v) for text, v in (("abcd efgh.", "ab"), ("ba", ""), ("gg h", ""))
    )
    alone = [run(model, [own], [seed])[0] for seed, own in enumerate((long, short, late))]
    samplers, said = [Sampler(SamplingConfig(seed=seed)) for seed in range(3)], [[], [], []]
    state = model.begin([long._replace(symbols=long.symbols[:8], ended=False), short])

    def steps(state, rows: list[int], count: int):
        for _ in range(count):
            codes, state = model.step(state, partial(choose, [samplers[row] for row in rows]))
            for row, own in zip(rows, codes, strict=True):
                said[row].append(own)
        return state

    state = steps(state, [0, 1], 2)
    first, second = select(state, [0]), select(state, [1])
    second = merge([model.begin([late]), second])
    second = steps(second, [2, 1], 1)
    while model.turns(first) == [Turn.frame]:
        first = steps(first, [0], 1)
    assert model.turns(first) == [Turn.symbols]
    first = model.extend(first, 0, long.symbols[8:], ended=True)
    state = merge([second, first])
    rows = [2, 1, 0]
    while rows:
        going = [n for n, turn in enumerate(model.turns(state)) if turn == Turn.frame]
        rows = [rows[n] for n in going]
        if rows:
            state = steps(select(state, going), rows, 1)
    for row, expected in enumerate(alone):
        assert torch.equal(torch.stack(said[row], dim=1), expected)


@torch.inference_mode()
def test_a_step_leaves_its_state_as_it_was():
    model = model_of("usual")
    state = model.begin([aligned_prompt(model, "abc"), aligned_prompt(model, "gh.", voice="a")])
    for _ in range(3):
        once, after = model.step(state, partial(choose, [Sampler(SamplingConfig(seed=n)) for n in (1, 2)]))
        again, _ = model.step(state, partial(choose, [Sampler(SamplingConfig(seed=n)) for n in (1, 2)]))
        assert torch.equal(once, again)
        state = after


@torch.inference_mode()
def test_given_durations_are_kept_and_what_is_rounded_off_is_carried_over():
    model = model_of("usual")
    prompt = aligned_prompt(model, "abcdef", frames=[0.4, 0.4, 3.0, 0.0, 1.6, 0.4])
    (codes,) = run(model, [prompt], [1])
    assert codes.shape[1] == 6
    state = model.begin([prompt])
    while model.turns(state) == [Turn.frame]:
        _, state = model.step(state, partial(choose, [Sampler(SamplingConfig())]))
    assert model.said(state)[0].frame_counts == (0, 1, 3, 0, 1, 1)
    assert model.said(state)[0].first_frames == (0, 0, 1, 4, 4, 5)


@pytest.mark.parametrize(("rate", "frames"), [(0.5, 24), (1.0, 12), (1.6, 8), (2.0, 6)])
@torch.inference_mode()
def test_the_rate_divides_durations(rate, frames):
    model = model_of("usual")
    assert run(model, [aligned_prompt(model, "abcd", frames=[3] * 4, rate=rate)], [1])[0].shape[1] == frames
    free = [run(model, [aligned_prompt(model, "abcd efgh. abc", rate=own)], [1])[0].shape[1] for own in (1.0, rate)]
    assert free[1] == pytest.approx(free[0] / rate, abs=1)


@torch.inference_mode()
def test_voice_speaker_language_and_places_are_heard():
    model = model_of("a speaker")
    plain = aligned_prompt(model, "abc def", frames=[3] * 7)
    others = [
        plain._replace(speaker=-plain.speaker),
        plain._replace(speaker=None),
        plain._replace(language=VOCABULARY.language_token("deu")),
        plain._replace(language=None),
        aligned_prompt(model, "abc def", frames=[3] * 7, voice="ab"),
        plain._replace(symbols=[*plain.symbols[:6], VOCABULARY.symbol_tokens("h")[0]]),  # the last within look-ahead
    ]
    scores = []
    for prompt in (plain, *others):
        teacher, state = Teacher(some_codes(model, 21)), model.begin([prompt])
        for teacher.frame in range(3):
            _, state = model.step(state, teacher)
        scores.append(torch.stack([frame[0] for frame in teacher.scores]))
    for other in scores[1:]:
        assert not torch.allclose(scores[0], other, atol=1e-3)
    assert torch.equal(
        model.begin([plain._replace(speaker=None)]).text.rows[0].current,
        model.begin([plain._replace(speaker=torch.zeros(5))]).text.rows[0].current,
    )


@pytest.mark.parametrize("precision", [Precision.float32, Precision.bfloat16, Precision.int8])
@torch.inference_mode()
def test_in_any_precision_it_is_what_the_protocol_says_and_stays_near_float32(precision):
    if precision == Precision.int8 and not int8_runs():
        pytest.skip("needs the quantised kernels of x86")
    model = model_of("a speaker")
    found = with_precision(model, precision)
    names = {name for name, _ in inspect.getmembers(AlignedLM) if not name.startswith("_")}
    assert names <= {*dir(found), *found._modules}
    assert (found.codebooks, found.codebook_size, found.max_frames, found.frame_s) == (3, 12, 96, 0.01)
    assert found.look_ahead == 6
    assert found.dtype == (torch.bfloat16 if precision == Precision.bfloat16 else torch.float32)
    assert found.parameter_count == sum(p.numel() for p in model.parameters())
    exact, near = Teacher(some_codes(model, 12, 2)), Teacher(some_codes(model, 12, 2))
    for who, teacher in ((model, exact), (found, near)):
        state = who.begin([aligned_prompt(model, "abcd", voice="gh", frames=[3] * 4)])
        for teacher.frame in range(12):
            _, state = who.step(state, teacher)
    for codebook in range(3):
        wanted, got = (torch.stack([frame[codebook] for frame in own.scores]).float() for own in (exact, near))
        apart = (got - wanted).square().mean().sqrt()
        assert apart < (1e-4 if precision == Precision.float32 else 0.08) * wanted.std()


def test_what_does_not_fit_is_refused():
    model = model_of("usual")
    fits = aligned_prompt(model, "abc", ended=False)
    for change, message in (
        ({"rate": 2.1}, r"rate of 2\.1, expected 0\.5 to 2"),
        ({"rate": float("nan")}, "rate of nan"),
        ({"speaker": torch.zeros(3)}, r"shape \(3,\); the model takes none"),
        ({"symbols": [999]}, "symbol 999; the model has"),
        ({"language": 999}, "symbol 999"),
        ({"frames": [1.0]}, "1 durations for 3 symbols"),
        ({"frames": [1.0, -1.0, 2.0]}, r"a symbol of -1\.0 frames"),
        ({"frames": [1.0, float("inf"), 2.0]}, "a symbol of inf frames"),
        ({"voice": AlignedVoice([7], [2], some_codes(model, 3))}, "1 symbols, 1 durations of 2 frames, and codes of 3"),
        ({"voice": AlignedVoice([7], [2], some_codes(model, 2)[:2])}, "voice of 2 codebooks; the model has 3"),
        ({"voice": AlignedVoice([7], [65], some_codes(model, 65))}, "a voice of 65 frames; the model takes 64"),
    ):
        with pytest.raises(ConfigError, match=message):
            model.begin([fits._replace(**change)])
    state = model.extend(model.begin([fits]), 0, [7], ended=True)
    with pytest.raises(ConfigError, match="1 symbols follow the end of a text"):
        model.extend(state, 0, [7])
    with pytest.raises(ConfigError, match=r"text_encoder\.kernel 4"):
        tiny_aligned_config(text={"kernel": 4})
    with pytest.raises(ConfigError, match="max_frames 160, positions 160"):
        tiny_aligned_config(max_frames=160)
    with pytest.raises(ConfigError, match=r"model\.codebooks 1"):
        tiny_aligned_config(codebooks=1)
    with pytest.raises(ConfigError, match="12 frame tokens; an aligned model has none"):
        tiny_aligned_config().build(tiny_vocabulary(tiny_dual_ar_config()).layout)
