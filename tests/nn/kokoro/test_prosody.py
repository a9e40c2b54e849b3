"""Prosody: whole durations, curves of two numbers per frame, and rows that do not see each other."""

import torch

from speech.nn.kokoro.prosody import ProsodyPredictor, spread
from tests.nn.kokoro.rows import LENGTHS, STYLE_DIM, check_rows, rows, styles


def predictor() -> ProsodyPredictor:
    torch.manual_seed(0)
    model = ProsodyPredictor(8, STYLE_DIM, 2, 10)
    with torch.no_grad():
        model.duration.weight.mul_(6)
    return model


@torch.no_grad()
def test_durations_are_sums_of_probabilities_and_at_least_one():
    model, (x, lengths) = predictor(), rows(8)
    symbols = x.transpose(1, 2)
    found = model.durations(symbols, styles(), torch.ones(3), lengths)
    seconds = torch.sigmoid(model.duration(model.lstm(found.encoded, lengths))).sum(2)
    for row, length in enumerate(LENGTHS):
        assert found.frames[row, :length].tolist() == seconds[row, :length].round().clamp(min=1).tolist()
        assert not found.frames[row, length:].any()
    assert len(set(found.frames[0].tolist())) > 1
    fast = model.durations(symbols, styles(), torch.full((3,), 100.0), lengths)
    assert fast.frames[0].tolist() == [1] * 7
    slow = model.durations(symbols, styles(), torch.full((3,), 0.5), lengths)
    assert int(slow.frames.sum()) > 1.7 * int(found.frames.sum())


@torch.no_grad()
def test_symbols_are_encoded_as_if_their_row_were_alone():
    model, (x, lengths), style = predictor(), rows(8), styles()
    found = model.durations(x.transpose(1, 2), style, torch.ones(3), lengths)

    def alone(n):
        own = x[n : n + 1, :, : LENGTHS[n]].transpose(1, 2)
        return model.durations(own, style[n : n + 1], torch.ones(1), lengths[n : n + 1])

    check_rows(found.encoded.transpose(1, 2), lambda n: alone(n).encoded.transpose(1, 2))
    check_rows(found.frames, lambda n: alone(n).frames)
    assert torch.equal(found.encoded[0, :, 8:], style[:1].expand(7, -1))


@torch.no_grad()
def test_curves_are_those_of_a_row_alone():
    model, (x, lengths), style = predictor(), rows(8 + STYLE_DIM), styles()
    frames = x.transpose(1, 2)
    for place in range(2):
        found = model.curves(frames, style, lengths)[place]
        assert found.shape == (3, 14)
        check_rows(
            found,
            lambda n, place=place: model.curves(frames[n : n + 1, : LENGTHS[n]], style[n : n + 1], lengths[n : n + 1])[
                place
            ],
        )


def test_symbols_are_spread_over_their_frames():
    x = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    found = spread(x, torch.tensor([[1, 3, 2], [2, 1, 0]]))
    assert found[..., 0].tolist() == [[1, 2, 2, 2, 3, 3], [4, 4, 5, 0, 0, 0]]
