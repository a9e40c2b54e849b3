"""Texts window by window: the durations of the text at once, other samples only as other statistics make them."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from speech.errors import ConfigError
from speech.models.kokoro import KokoroRequest
from speech.models.kokoro_windows import EARLY_FRAMES, FIRST_FRAMES, MOST_FRAMES, WindowedKokoro, windows
from speech.nn.kokoro.norm_statistics import measuring
from speech.nn.kokoro.windowed_decoder import DecodedUtterance
from tests.tiny_kokoro import tiny_kokoro, tiny_style

REQUEST = KokoroRequest(ids=[5, 4, 3, 2, 1, 7, 9, 11, 12], style=tiny_style(2), speed=0.3, seed=4)


def sizes(pieces) -> list[int]:
    return [len(piece.samples) for piece in pieces]


def before_the_first_sound(model, durations) -> int:
    """Samples that are not computed where the first window is wanted soon."""
    return max(int(durations[0]) - EARLY_FRAMES, 0) * model.frame_samples


@pytest.fixture(scope="module")
def model():
    return tiny_kokoro()


@pytest.fixture(scope="module")
def statistics(model):
    with measuring(model.decoder) as meter:
        model.speak([REQUEST])
    return meter.by_length()


def test_windows_grow_and_hold_every_frame_once():
    for frames in (1, 7, 8, 9, 24, 65, 500):
        found = list(windows(frames))
        assert found[0][0] == 0
        assert found[-1][1] == frames
        assert all(one[1] == other[0] for one, other in pairwise(found))
        sizes = [stop - start for start, stop in found]
        assert sizes[0] <= FIRST_FRAMES
        assert max(sizes) <= MOST_FRAMES
        assert all(small <= large <= 2 * small for small, large in pairwise(sizes[:-1]))
        assert [stop - start for start, stop in windows(frames, MOST_FRAMES)][:-1] == [MOST_FRAMES] * (
            (frames - 1) // MOST_FRAMES
        )


def test_a_text_with_its_own_statistics_is_what_it_is_at_once(model, statistics):
    """Durations are equal, and nearly all samples: phases near pi turn over where sums have another order."""
    whole = model.speak([REQUEST])[0]
    pieces = list(WindowedKokoro(model, bfloat16=False).speak(REQUEST, statistics))
    assert len(pieces) > 1
    assert all(torch.equal(piece.durations, whole.durations) for piece in pieces)
    samples, silent = torch.cat([piece.samples for piece in pieces]), before_the_first_sound(model, whole.durations)
    assert samples.shape == whole.samples.shape
    assert (samples - whole.samples)[silent:].abs().quantile(0.8) < 1e-3


def test_the_same_request_gives_the_same_samples_and_bfloat16_nearly(model, statistics):
    speaker = WindowedKokoro(model, bfloat16=False)
    one, again = (torch.cat([piece.samples for piece in speaker.speak(REQUEST, statistics)]) for _ in range(2))
    assert torch.equal(one, again)
    narrow = torch.cat([piece.samples for piece in WindowedKokoro(model, bfloat16=True).speak(REQUEST, statistics)])
    assert torch.corrcoef(torch.stack([one, narrow]))[0, 1] > 0.8


def test_what_is_not_wanted_soon_is_the_same_in_larger_windows(model, statistics):
    speaker = WindowedKokoro(model, bfloat16=False)
    small, large = (list(speaker.speak(REQUEST, statistics, soon=soon)) for soon in (True, False))
    frame = model.frame_samples
    silent = before_the_first_sound(model, small[0].durations)
    assert sizes(small)[:4] == [0, 0, silent + FIRST_FRAMES * frame, 2 * FIRST_FRAMES * frame]
    assert sizes(large)[:2] == [0, 0]
    assert max(sizes(small)[2] - silent, sizes(small)[3]) < sizes(large)[2] <= MOST_FRAMES * frame
    one, other = (torch.cat([piece.samples for piece in pieces]) for pieces in (small, large))
    assert torch.equal(small[0].durations, large[-1].durations)
    assert (one - other)[silent:].abs().quantile(0.8) < 1e-3


def test_the_silence_before_the_first_symbol_is_not_computed_where_it_would_delay_the_first_sound(
    model, statistics, monkeypatch
):
    computed: list[tuple[int, int]] = []
    samples = DecodedUtterance.samples

    def watched(self, start, stop):
        computed.append((start, stop))
        return samples(self, start, stop)

    monkeypatch.setattr(DecodedUtterance, "samples", watched)
    slow = replace(REQUEST, speed=0.25)
    first = next(p for p in WindowedKokoro(model, bfloat16=False).speak(slow, statistics) if len(p.samples))
    begin = int(first.durations[0]) - EARLY_FRAMES
    assert begin > 0
    assert computed == [(begin, begin + FIRST_FRAMES)]
    assert not first.samples[: begin * model.frame_samples].any()
    assert first.samples[begin * model.frame_samples :].any()


def test_what_cannot_be_spoken_is_refused(model, statistics):
    with pytest.raises(ConfigError, match="request: symbol 24, expected 0 to 23"):
        next(WindowedKokoro(model).speak(KokoroRequest(ids=[24], style=tiny_style(1)), statistics))
