"""Symbols: whole texts and single steps the same, texts of a row apart, durations right in the mean."""

import pytest
import torch

from speech.errors import ConfigError
from speech.nn.speech_lm.text_encoder import (
    NO_LANGUAGE,
    DurationHead,
    TextEncoder,
    TextEncoderConfig,
    duration_loss,
    frame_end,
)


def encoder(**shape):
    torch.manual_seed(0)
    found = TextEncoder(TextEncoderConfig(**{"dim": 8} | shape), 20).eval()
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)
    return found


def stepped(model, symbols, languages, known_at):
    """Encodings of a text whose end is known once `known_at` symbols have been fed."""
    windows, found = model.begin(), []
    for place in range(len(symbols) + model.config.look_ahead):
        count = len(symbols) if place >= known_at else None
        fed = model.embedded(symbols[place], languages[place]) if place < len(symbols) else None
        encoded, windows = model.step(fed, windows, count)
        if encoded is not None:
            found.append(encoded)
    return torch.stack(found)


@pytest.mark.parametrize("shape", [{}, {"layers": 1}, {"layers": 4, "kernel": 3}, {"kernel": 7}], ids=str)
@pytest.mark.parametrize("count", [1, 2, 5, 17])
@torch.inference_mode()
def test_steps_equal_the_whole_and_do_not_depend_on_when_the_end_is_known(shape, count):
    model = encoder(**shape)
    symbols, languages = torch.randint(3, 20, (count,)), torch.full((count,), 2)
    whole = model(symbols[None], languages[None], torch.zeros(1, count))[0]
    late = stepped(model, symbols, languages, count)
    torch.testing.assert_close(late, whole, atol=1e-5, rtol=1e-5)
    assert torch.equal(stepped(model, symbols, languages, 0), late)
    assert whole.std() > 0.1


@torch.inference_mode()
def test_a_symbol_depends_on_those_within_its_look_ahead_only():
    model = encoder()
    assert model.config.look_ahead == 6
    symbols, none = torch.randint(3, 20, (1, 14)), torch.full((1, 14), NO_LANGUAGE)
    segments = torch.zeros(1, 14)
    whole = model(symbols, none, segments)
    other = symbols.clone()
    other[0, 13] = (other[0, 13] - 3 + 1) % 17 + 3
    apart = (model(other, none, segments) - whole).abs().amax(dim=2)[0]
    assert not apart[:7].any()
    assert apart[7] > 1e-6


@torch.inference_mode()
def test_texts_of_a_row_and_padding_do_not_see_each_other():
    model = encoder()
    one, two = torch.randint(3, 20, (5,)), torch.randint(3, 20, (3,))
    language = torch.tensor([2] * 5 + [NO_LANGUAGE] * 3 + [0])[None]
    row, segments = torch.cat([one, two, torch.tensor([0])])[None], torch.tensor([[0] * 5 + [1] * 3 + [2]])
    found = model(row, language, segments)[0]
    for own, begin in ((one, 0), (two, 5)):
        alone = model(own[None], language[:, begin : begin + len(own)], torch.zeros(1, len(own)))[0]
        torch.testing.assert_close(found[begin : begin + len(own)], alone, atol=1e-6, rtol=1e-6)
    assert not torch.allclose(model(one[None], torch.full((1, 5), 1), torch.zeros(1, 5))[0], found[:5], atol=1e-3)


def test_the_loss_is_least_at_the_mean_duration_and_zero_if_all_are_right():
    frames = torch.tensor([0.0, 1.0, 5.0])
    assert float(duration_loss(frames.clamp(min=1e-12).log(), frames)) == pytest.approx(0, abs=1e-5)
    log_frames = torch.tensor(2.0, requires_grad=True)
    losses = [float(duration_loss(torch.full((3,), value).log(), frames)) for value in (1.9, 2.0, 2.1)]
    assert losses[1] < min(losses[0], losses[2])
    (gradient,) = torch.autograd.grad(duration_loss(log_frames.log().expand(3), frames), log_frames)
    assert float(gradient) == pytest.approx(0, abs=1e-6)


def test_durations_learn_and_have_a_limit():
    torch.manual_seed(0)
    head, x = DurationHead(TextEncoderConfig(dim=4, longest=10)), torch.eye(4)
    wanted = torch.tensor([0.5, 2.0, 4.0, 40.0])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        duration_loss(head(x), wanted).backward()
        optimizer.step()
    found = head(x).exp().detach()
    torch.testing.assert_close(found[:3], wanted[:3], atol=0.05, rtol=0.05)
    assert float(found[3]) == pytest.approx(10)


def test_whole_frames_sum_up_to_the_rounded_total():
    totals = torch.full((100,), 0.3, dtype=torch.float64).cumsum(0).tolist()
    ends = [frame_end(total) for total in totals]
    assert ends[-1] == 30
    counts = [b - a for a, b in zip([0, *ends], ends, strict=False)]
    assert set(counts) == {0, 1}
    assert frame_end(0.0) == 0


def test_a_window_has_a_middle():
    with pytest.raises(ConfigError, match=r"text_encoder\.kernel 6"):
        TextEncoderConfig(kernel=6)
